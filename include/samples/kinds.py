"""What a stream's samples are, by its tags: their documents, what must come out of them, how they travel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from include.samples import bizums, facturas, temperaturas


@dataclass(frozen=True)
class Kind:
    """`documents`: of a count, a seed and now (ms), the same again for the same arguments. `totals`: what a run over all of them must come to.
    `purpose`: what they contain on purpose, from their totals. `key`: the field that is the message key in a topic; none where the samples are for
    files alone."""

    what: str
    file: str
    documents: Callable[[int, int, int], Iterator[str]]
    totals: Callable[[Iterable[str]], dict[str, Any]]
    purpose: Callable[[dict[str, Any]], str]
    key: str = ""


def _past_temperatures(count: int, seed: int, now_ms: int) -> Iterator[str]:
    """They end now: one from the future would be refused."""
    return temperaturas.documents(count, seed, now_ms - count * temperaturas.MOST_STEP_MS)


def _past_bizums(count: int, seed: int, now_ms: int) -> Iterator[str]:
    """Of the three days before this one."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return bizums.dated_lines(count, seed, today - timedelta(days=3))


def _in_order(totals: dict[str, Any]) -> str:
    return f"all {totals['invoices']:,} are good, in the order of their time"


def _late(what: str, most: str) -> Callable[[dict[str, Any]], str]:
    return lambda totals: (
        f"all {totals[what]:,} are good; {totals['out_of_order']:,} of them come out of order, up to {most} late"
    )


def _malformed(totals: dict[str, Any]) -> str:
    told = f"{totals['lines']:,} lines: {totals['rows']:,} good, {totals['refused']:,} malformed on purpose (they go to cuarentena)"
    return f"{told}, {totals['blank']:,} blank (no records)"


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
