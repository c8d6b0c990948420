"""What happens to deliveries of reprocessed records when generations change.

A record is read either from the file in which it first came or from its delivery, never from both.
"""

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
    """Admitted name -> delivery, for deliveries whose records came from a generation of `live`.

    A reset reads those generations from their beginning, so it must leave these deliveries out. Raises
    Refused for a delivery that is not admitted yet, because the run after the reset would admit it.
    """
    by_name = {d.name: d for d in deliveries.all_of(layout, stream.name) if d.generation in live}
    if not by_name:
        return {}
    for name in by_name:
        _require_admitted(layout, stream, name)
    with ledger.reader(layout.ledger(stream.folder)) as db:
        pairs = [(e, by_name[e.original_name]) for e in ledger.select(db, "original_name", by_name)]
    return {entry.name: delivery for entry, delivery in pairs if _is(layout, stream, entry, delivery)}


def require_none(layout: Layout, stream: Stream, generation: int, keep: int) -> None:
    """Raises Refused when refused records of a batch after `keep` were reprocessed.

    A rewind would read that batch again, and its delivery would give the same records a second time.
    """
    of_generation = (d for d in deliveries.all_of(layout, stream.name) if d.generation == generation)
    later = [d for d in of_generation if d.batch > keep]
    if later:
        last, reset = max(d.batch for d in later), f"./caudal generation reset {stream.name}"
        what = f"refused records of batch {last} were reprocessed ({later[-1].name})"
        what += ": a rewind would read them twice"
        cli = f"--to-batch {last} or later; or {reset}, which leaves the deliveries out"
        raise Refused(what, layout.refused_records(stream.name, generation, last), cli=cli)


def _require_admitted(layout: Layout, stream: Stream, name: str) -> None:
    for folder in (layout.entrada(stream.folder), layout.claims(stream.folder)):
        if os.path.lexists(folder / name):
            what = "a delivery of reprocessed records is not admitted yet"
            raise Refused(what, folder / name, cli=f"./caudal run {stream.name} first")


def _is(layout: Layout, stream: Stream, entry: Entry, delivery: Delivery) -> bool:
    """Whether the entry is this delivery, by the file's first line; if the file is gone, its name must do."""
    path: Path | None = layout.en_proceso(stream.folder) / entry.name
    if path is None or not storage.is_regular(path):
        path = archived.locate(layout, stream.name, stream.folder, entry)
    return path is None or delivery.begins(path)
