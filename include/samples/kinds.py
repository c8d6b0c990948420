"""The samples of each stream, by its tags: their documents, the totals that must come out, and how they are
delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from include.samples import bizums, facturas, temperaturas


@dataclass(frozen=True)
class Kind:
    """`documents`: by count, seed and now (ms); the same arguments give the same documents. `totals`: what a
    run over all of them must report. `purpose`: a sentence, from the totals, about what they contain on
    purpose. `key`: the field that is the message key in a topic; empty if the samples are for files only."""

    what: str
    file: str
    documents: Callable[[int, int, int], Iterator[str]]
    totals: Callable[[Iterable[str]], dict[str, Any]]
    purpose: Callable[[dict[str, Any]], str]
    key: str = ""


def _past_temperatures(count: int, seed: int, now_ms: int) -> Iterator[str]:
    """Readings that end now: one from the future would be refused."""
    return temperaturas.documents(count, seed, now_ms - count * temperaturas.MOST_STEP_MS)


def _past_bizums(count: int, seed: int, now_ms: int) -> Iterator[str]:
    """Bizums of the three days before today."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return bizums.dated_lines(count, seed, today - timedelta(days=3))


def _in_order(totals: dict[str, Any]) -> str:
    return f"all {totals['invoices']:,} are good, in the order of their time"


def _late(what: str, most: str) -> Callable[[dict[str, Any]], str]:
    return lambda totals: (
        f"all {totals[what]:,} are good; {totals['out_of_order']:,} are out of order, up to {most} late"
    )


def _malformed(totals: dict[str, Any]) -> str:
    good = f"{totals['lines']:,} lines: {totals['rows']:,} good"
    bad = f"{totals['refused']:,} malformed on purpose (they go to cuarentena)"
    return f"{good}, {bad}, {totals['blank']:,} blank (no records)"


KINDS = {
    "facturas": Kind(
        "invoices",
        "facturas-{}.json",
        facturas.documents,
        lambda made: facturas.totals_of(made).to_json(),
        _in_order,
        "InvoiceNumber",
    ),
    "temperaturas": Kind(
        "temperatures",
        "temperaturas-{}.json",
        _past_temperatures,
        temperaturas.totals_of,
        _late("readings", "8 minutes"),
        "sensor",
    ),
    "bizums_fechados": Kind(
        "dated bizums",
        "bizums-fechados-{}.csv",
        _past_bizums,
        bizums.dated_totals_of,
        _late("bizums", "6 hours"),
    ),
    "bizums": Kind(
        "bizums",
        "bizums-{}.csv",
        lambda count, seed, _: bizums.lines(count, seed),
        bizums.totals_of,
        _malformed,
    ),
}
