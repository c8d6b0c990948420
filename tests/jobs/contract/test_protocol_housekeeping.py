"""Rollover and rewind on every small state of disk: allowed exactly where a run afterwards ends right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jobs.contract.commit.protocol import Facts, Refuse, may_rewind, may_roll_over, pairing, rewind_step
from tests.jobs.contract.oracle import REACHABLE, Disk, disks, safe


def after_rollover_is_right(disk: Disk) -> bool:
    """A new checkpoint starts at the end of the newest *offset*; what was not published by then is never run
    again."""
    return (
        safe(disk)
        and bool(disk.offsets)
        and disk.published == tuple(range(max(disk.offsets) + 1))
        and max(disk.offsets) in disk.commits
    )


def test_a_rollover_is_allowed_exactly_when_nothing_is_open() -> None:
    allowed = 0
    for disk in disks():
        verdict = may_roll_over(disk.facts(), 0)
        assert (verdict is None) is after_rollover_is_right(disk), (disk, verdict)
        allowed += verdict is None
        for unarchived in (1, 2):
            assert isinstance(may_roll_over(disk.facts(), unarchived), Refuse)
    assert allowed > 20


def rewound(facts: Facts, keep: int) -> Iterator[Facts]:
    """Follows rewind_step to its end, yielding the facts after each removal."""
    while step := rewind_step(facts, keep):
        kind, number = step
        name = {"output": "published", "commit": "commits", "offset": "offsets"}[kind]
        assert getattr(facts, name)[-1] == number
        assert number > keep
        facts = replace(facts, **{name: getattr(facts, name)[:-1]})
        facts = replace(facts, manifests={b: m for b, m in facts.manifests.items() if b in facts.published})
        yield facts


def as_disk(facts: Facts) -> Disk:
    return Disk(facts.query_id, facts.offsets, facts.commits, facts.published)


def test_a_rewind_that_is_allowed_ends_in_a_state_spark_starts_from() -> None:
    """And one that is refused for its reach would have ended in a state it does not start from, or had
    nothing to take back."""
    allowed = 0
    for disk in disks():
        if disk.wrong:
            continue
        for keep in range(-2, 5):
            facts = disk.facts()
            verdict = may_rewind(facts, keep)
            if isinstance(pairing(facts), Refuse) or not -1 <= keep < facts.newest_offset:
                assert verdict is not None
                continue
            *_, last = (facts, *rewound(facts, keep))
            end = as_disk(last)
            right_end = (
                safe(end) and max(end.offsets, default=-1) == keep and end.published == tuple(range(keep + 1))
            )
            replayable = keep in disk.commits if keep >= 0 else 0 in disk.offsets
            assert (verdict is None) is (right_end and replayable), (disk, keep, verdict, end)
            allowed += verdict is None
    assert allowed > 50


def test_a_rewind_takes_outputs_first_then_commits_then_offsets_newest_first() -> None:
    facts = Disk("q", (0, 1, 2), (0, 1), (0, 1, 2)).facts()
    steps = [rewind_step(after, 0) for after in (facts, *rewound(facts, 0))]
    assert steps == [("output", 2), ("output", 1), ("commit", 1), ("offset", 2), ("offset", 1), None]


def test_every_state_in_the_middle_of_a_rewind_is_refused_or_safe_even_without_its_journal() -> None:
    """The order alone: were the journal lost, a run would refuse or end right, but never lose or repeat."""
    for disk in (d for d, _, _ in REACHABLE.values()):
        for keep in range(-1, max(disk.offsets, default=-1)):
            if may_rewind(disk.facts(), keep) is None:
                for facts in rewound(disk.facts(), keep):
                    assert isinstance(pairing(facts), Refuse) or safe(as_disk(facts))
