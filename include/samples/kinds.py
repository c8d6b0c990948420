"""What a stream's samples are, by its tags: their documents, what must come out of them, how they travel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from include.samples import bizums, facturas, temperaturas
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream


@dataclass(frozen=True)
class Kind:
    """`documents`: of a count, a seed and now (ms), the same again for the same arguments. `totals`: what a run over all of them must come to.
    `key`: the field that is the message key in a topic; none where the samples are for files alone."""

    what: str
    file: str
    documents: Callable[[int, int, int], Iterator[str]]
    totals: Callable[[Iterable[str]], dict[str, Any]]
    key: str = ""


def _past_temperatures(count: int, seed: int, now_ms: int) -> Iterator[str]:
    """They end now: one from the future would be refused."""
    return temperaturas.documents(count, seed, now_ms - count * temperaturas.MOST_STEP_MS)


def _past_bizums(count: int, seed: int, now_ms: int) -> Iterator[str]:
    """Of the three days before this one."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return bizums.dated_lines(count, seed, today - timedelta(days=3))


KINDS = {
    "facturas": Kind("invoices", "facturas-{}.json", facturas.documents, lambda made: facturas.totals_of(made).to_json(), "InvoiceNumber"),
    "temperaturas": Kind("temperatures", "temperaturas-{}.json", _past_temperatures, temperaturas.totals_of, "sensor"),
    "bizums_fechados": Kind("dated bizums", "bizums-fechados-{}.csv", _past_bizums, bizums.dated_totals_of),
    "bizums": Kind("bizums", "bizums-{}.csv", lambda count, seed, _: bizums.lines(count, seed), bizums.totals_of),
}


def of(stream: Stream) -> Kind:
    """Raises Refused for a stream that none of the samples is made for."""
    if stream.upstream:
        raise Refused(f"{stream.name} reads what {stream.upstream} publishes", stream.name, cli=f"./caudal sample {stream.upstream}")
    found = next((kind for tag, kind in KINDS.items() if tag in stream.tags), None)
    if found is None:
        names = ", ".join(kind.what for kind in KINDS.values())
        what = f"{stream.name} reads none of {names}, so the samples would all be refused"
        raise Refused(what, stream.name, cli="./caudal put or ./caudal produce takes your own data")
    return found
