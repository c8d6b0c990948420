"""The protocol's table (state x crash x next action), written by asking the protocol:
docs/decisions/0001-commit-protocol.md holds a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jobs.contract.commit.protocol import Facts, Next, Proceed, Refuse, may_rewind, may_roll_over, pairing
from tests.jobs.contract.oracle import REACHABLE, REFUSED, Disk

THEN = {
    Next.FRESH: "Spark plans batch {0}",
    Next.RERUN: "Spark runs batch {0} again: published already -> skip, else write",
    Next.ONWARD: "Spark plans batch {0}",
    Next.REDO: "the journal first",
}


def numbers(values: tuple[int, ...]) -> str:
    return " ".join(map(str, values)) or "-"


def yes(verdict: Refuse | None) -> str:
    return f"no: {verdict.rule}" if verdict else "yes"


def row(state: str, disk: Disk, facts: Facts) -> str:
    verdict = pairing(facts)
    action = (
        THEN[verdict.step].format(verdict.batch)
        if isinstance(verdict, Proceed)
        else f"**refused, {verdict.rule}**: {verdict.why}"
    )
    rollover, rewind = yes(may_roll_over(facts, 0)), yes(may_rewind(facts, facts.newest_offset - 1))
    cells = (
        state,
        disk.query_id or "-",
        numbers(disk.offsets),
        numbers(disk.commits),
        numbers(disk.published),
        action,
        rollover,
        rewind,
    )
    return "| " + " | ".join(cells) + " |"


def lines() -> Iterator[str]:
    yield (
        "| state and crash | query id | offsets | commits | published | next run | rollover | rewind by one |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for state, (disk, _, _) in REACHABLE.items():
        yield row(state, disk, disk.facts())
    cut_short = Disk("q", (0, 1), (0,), (0,))
    yield row("rewind cut short, journal open", cut_short, replace(cut_short.facts(), journal="rewind"))
    for rule, disk in REFUSED.items():
        yield row(HAND[rule], disk, disk.facts())


HAND = {
    "no-query-id": "metadata lost (a hand, or a power cut in the first batch)",
    "offset-gap": "an offset deleted by hand",
    "offset-lost": "newest offset deleted by hand",
    "output-ahead": "an older checkpoint restored",
    "output-missing": "output deleted by hand",
    "other-query": "output of another checkpoint",
    "other-batch": "batch 1 published from other input",
}


def table() -> str:
    return "\n".join(lines())


if __name__ == "__main__":
    print(table())
