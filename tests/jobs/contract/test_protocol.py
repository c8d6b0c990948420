"""Every small state of disk, judged twice: by jobs.contract.commit.protocol, and by a player of Spark's part
that knows none of its rules."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from jobs.contract.commit.manifest import Identity
from jobs.contract.commit.protocol import (
    FileState,
    Next,
    Proceed,
    Publish,
    Refuse,
    difference,
    file_state,
    is_unplanned,
    may_rewind,
    may_roll_over,
    pairing,
    publish,
)
from tests.jobs.contract.oracle import (
    BATCHES,
    OTHERS,
    REACHABLE,
    REFUSED,
    Disk,
    disks,
    play,
    right,
    safe,
    subsets,
)


def test_pairing_accepts_exactly_the_states_from_which_spark_ends_right() -> None:
    judged = {True: 0, False: 0}
    for disk in disks():
        expected = safe(disk)
        verdict = pairing(disk.facts())
        assert isinstance(verdict, Proceed) is expected, (disk, verdict)
        judged[expected] += 1
    assert judged == {True: 133, False: 22_859}  # so that neither the states nor the rules shrink unseen


def test_pairing_names_the_batch_that_spark_really_starts_with() -> None:
    for disk in disks():
        verdict = pairing(disk.facts())
        if isinstance(verdict, Proceed):
            _, ran = play(disk)
            assert verdict.batch == ran[0], (disk, verdict)
            assert (verdict.step is Next.RERUN) is (len(ran) == 2)
            assert (verdict.step is Next.FRESH) is (ran == [0])


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("wrong", BATCHES)
def test_any_difference_in_any_retained_batch_is_refused(kind: str, wrong: int) -> None:
    for commits in subsets(BATCHES):
        disk = Disk("q", BATCHES, commits, BATCHES, (wrong,), kind)
        verdict = pairing(disk.facts())
        assert isinstance(verdict, Refuse), (disk, verdict)
        assert verdict.rule == ("other-query" if kind == "query" else "other-batch")


@pytest.mark.parametrize("what", REACHABLE)
def test_what_a_crash_leaves_is_accepted(what: str) -> None:
    disk, step, batch = REACHABLE[what]
    assert pairing(disk.facts()) == Proceed(step, batch)
    assert safe(disk)


@pytest.mark.parametrize("rule", REFUSED)
def test_a_refusal_has_its_rule_and_a_sentence(rule: str) -> None:
    verdict = pairing(REFUSED[rule].facts())
    assert isinstance(verdict, Refuse)
    assert verdict.rule == rule
    assert len(verdict.why.split()) > 5


def test_a_lost_checkpoint_is_said_in_these_words() -> None:
    verdict = pairing(Disk(None, (), (), BATCHES).facts())
    assert verdict == Refuse(
        "output-ahead",
        "batches 0, 1, 2, 3 are published, but the checkpoint is gone: Spark would plan them again with "
        "other input",
    )


def test_manifests_nobody_read_prove_nothing() -> None:
    facts = Disk("q", (0, 1), (0,), (0, 1)).facts()
    for left_out in (0, 1):
        unread = replace(facts, manifests={b: m for b, m in facts.manifests.items() if b != left_out})
        verdict = pairing(unread)
        assert isinstance(verdict, Refuse)
        assert verdict.rule == "manifest-unread"


def test_an_open_journal_comes_before_everything_else() -> None:
    for disk in (*REFUSED.values(), *(d for d, _, _ in REACHABLE.values())):
        facts = replace(disk.facts(), journal="rewind")
        assert pairing(facts) == Proceed(Next.REDO, max(disk.offsets, default=-1))
        for verdict in (may_roll_over(facts, 0), may_rewind(facts, 0)):
            assert verdict == Refuse("journal", "another operation is open")


def test_publish_skips_only_the_very_same_batch() -> None:
    assert publish(right(3), None) is Publish.WRITE
    assert publish(right(3), right(3)) is Publish.SKIP
    for kind in OTHERS.values():
        verdict = publish(right(3), kind(right(3)))
        assert isinstance(verdict, Refuse)
        assert verdict.rule == "batch-conflict"
        assert difference(right(3), kind(right(3)))


def test_difference_is_empty_for_equals_alone() -> None:
    values = [Identity(*v) for v in product("ab", repeat=4)]
    for one, two in product(values, values):
        assert (difference(one, two) == "") is (one == two)


def test_a_file_is_done_exactly_when_its_log_offset_is_committed() -> None:
    for committed in range(-1, 4):
        assert file_state(None, committed) is FileState.WAITING
        for offset in range(4):
            assert file_state(offset, committed) is (
                FileState.DONE if offset in range(committed + 1) else FileState.PLANNED
            )


def test_a_file_needs_a_batch_until_an_offset_covers_its_entry() -> None:
    for planned in range(-1, 4):
        assert is_unplanned(None, planned)
        assert [offset for offset in range(5) if not is_unplanned(offset, planned)] == list(
            range(planned + 1)
        )
