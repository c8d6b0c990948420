"""Deliveries of reprocessed records, where generations change: a record is read from where it first came, or from its delivery, never from both."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from include.state import archived, deliveries
from include.state.deliveries import Delivery
from jobs.contract.disk import ledger, storage
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream

STAYS = "a delivery of reprocessed records: they are read again where they first came from"


def read_again(layout: Layout, stream: Stream, live: Collection[int]) -> dict[str, Delivery]:
    """Admitted names of the deliveries whose records came from a generation of `live`: whoever reads those from their beginning leaves these out.

    Raises Refused for one that is not admitted yet: the run after a reset would take it in.
    """
    found = {d.name: d for d in deliveries.all_of(layout, stream.name) if d.generation in live}
    if not found:
        return {}
    for name in found:
        _require_admitted(layout, stream, name)
    with ledger.reader(layout.ledger(stream.folder)) as db:
        entries = list(ledger.select(db, "original_name", found))
    return {e.name: found[e.original_name] for e in entries if _is(layout, stream, e, found[e.original_name])}


def require_none(layout: Layout, stream: Stream, generation: int, keep: int) -> None:
    """Raises Refused when refused records of a batch after `keep` were reprocessed: that batch would be read again beside its delivery."""
    taken = [
        d for d in deliveries.all_of(layout, stream.name) if d.generation == generation and d.batch > keep
    ]
    if taken:
        last = max(d.batch for d in taken)
        what = f"refused records of batch {last} were reprocessed ({taken[-1].name}): read again, they would stand twice"
        way = f"--to-batch {last} or later; or ./caudal generation reset {stream.name}, which leaves the deliveries out"
        raise Refused(what, layout.refused_records(stream.name, generation, last), cli=way)


def _require_admitted(layout: Layout, stream: Stream, name: str) -> None:
    for folder in (layout.entrada(stream.folder), layout.claims(stream.folder)):
        if os.path.lexists(folder / name):
            raise Refused(
                "a delivery of reprocessed records is not taken in yet",
                folder / name,
                cli=f"./caudal run {stream.name} first",
            )


def _is(layout: Layout, stream: Stream, entry: Entry, delivery: Delivery) -> bool:
    """By its first line, wherever it lies; of a file that is gone its name must do."""
    path: Path | None = layout.en_proceso(stream.folder) / entry.name
    if path is None or not storage.is_regular(path):
        path = archived.locate(layout, stream.name, stream.folder, entry)
    return path is None or delivery.begins(path)
