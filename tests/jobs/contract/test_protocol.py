"""Every small state of disk, judged twice: by jobs.contract.protocol, and by a simulation of what Spark and the publish step would do on it.

The simulation knows nothing of the protocol's rules. It plays Spark's start as read in its source and tried on Spark 4.2 (the newest
offset is run again if it is not the newest commit, everything below is taken for done, batch n needs offset n-1) and then looks at the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, product

import pytest

from jobs.contract.manifest import Identity
from jobs.contract.protocol import (
    Facts,
    FileState,
    Next,
    Proceed,
    Publish,
    Refuse,
    difference,
    file_state,
    may_rewind,
    may_roll_over,
    pairing,
    publish,
    rewind_step,
)

BATCHES = (0, 1, 2, 3)


def right(batch: int, query_id: str = "q") -> Identity:
    """What batch `batch` holds by its plan."""
    return Identity(query_id, f"p{batch}", f"p{batch + 1}", f"digest {batch}")


def fresh(batch: int, query_id: str) -> Identity:
    """A batch planned now: it takes what has arrived since, so it equals nothing that was ever published under its number."""
    return replace(right(batch, query_id), input_digest="what has arrived since")


OTHERS = {
    "query": lambda i: replace(i, query_id="another"),
    "start": lambda i: replace(i, start="elsewhere"),
    "end": lambda i: replace(i, end="elsewhere"),
    "digest": lambda i: replace(i, input_digest="other files"),
}


def subsets(items: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(items, n) for n in range(len(items) + 1))


@dataclass(frozen=True)
class Disk:
    """What lies there. `wrong`: published batches whose content is another's; `kind`: in what it differs."""

    query_id: str | None
    offsets: tuple[int, ...]
    commits: tuple[int, ...]
    published: tuple[int, ...]
    wrong: tuple[int, ...] = ()
    kind: str = "digest"

    @property
    def retained(self) -> set[int]:
        return {b for b in self.offsets if b == 0 or b - 1 in self.offsets}

    def content(self, batch: int) -> Identity:
        """Identity in the manifest; the output was written by query q."""
        return OTHERS[self.kind](right(batch)) if batch in self.wrong else right(batch)

    def facts(self) -> Facts:
        known = self.retained & set(self.published) if self.query_id else set()
        return Facts(
            self.query_id,
            self.offsets,
            self.commits,
            self.published,
            planned={b: right(b, self.query_id or "") for b in self.retained} if self.query_id else {},
            manifests={b: self.content(b) for b in known | {*self.published[-1:]}},
        )


class Stuck(Exception):
    """The run cannot go on; a human is needed. Nothing was lost by it."""


def publish_as_the_house_says(out: dict[int, Identity], batch: int, plan: Identity) -> None:
    if out.setdefault(batch, plan) != plan:
        raise Stuck("published from other input")


def play(disk: Disk) -> tuple[dict[int, Identity], list[int]]:
    """Spark starts on this checkpoint, runs what it thinks is open and one new batch. Returns the output and the batches it ran."""
    if disk.query_id is None and (disk.offsets or disk.commits):
        raise Stuck("STREAMING_CHECKPOINT_MISSING_METADATA_FILE")
    query_id = disk.query_id or "a new one"
    out = {b: disk.content(b) for b in disk.published}
    newest = max(disk.offsets, default=-1)
    if newest > 0 and newest - 1 not in disk.offsets:
        raise Stuck(f"batch {newest - 1} doesn't exist")
    open_batch = newest >= 0 and (not disk.commits or max(disk.commits) != newest)
    if open_batch:
        publish_as_the_house_says(out, newest, right(newest, query_id))
    ran = [newest] * open_batch + [newest + 1]
    for batch in ran:
        if batch > newest:
            publish_as_the_house_says(out, batch, fresh(batch, query_id))
        if batch in disk.commits or (disk.commits and max(disk.commits) > batch):
            raise Stuck("CONCURRENT_STREAM_LOG_UPDATE")
    return out, ran


def safe(disk: Disk) -> bool:
    """After the run every planned batch stands published once, with its own content, and nothing else does."""
    try:
        out, (*_, last) = play(disk)
    except Stuck:
        return False
    query_id = disk.query_id or "a new one"
    return out == {b: right(b, query_id) for b in range(last)} | {last: fresh(last, query_id)}


def disks() -> Iterator[Disk]:
    """offsets x commits x published x wrong contents x query id. Content below what the checkpoint retains is taken as right: nobody can know."""
    for query_id, offsets, commits, published in product((None, "q", "other"), subsets(BATCHES), subsets(BATCHES), subsets(BATCHES)):
        disk = Disk(query_id, offsets, commits, published)
        for wrong in subsets(tuple(sorted(disk.retained & set(published)))):
            yield replace(disk, wrong=wrong)


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


# What kill -9 and power cuts leave, by hand; the model in test_protocol_model.py reaches these and many more by itself.
REACHABLE = {
    "nothing yet": (Disk(None, (), (), ()), Next.FRESH, 0),
    "crash in the first batch, metadata only": (Disk("q", (), (), ()), Next.FRESH, 0),
    "first batch planned": (Disk("q", (0,), (), ()), Next.RERUN, 0),
    "first batch published, not committed": (Disk("q", (0,), (), (0,)), Next.RERUN, 0),
    "first batch committed": (Disk("q", (0,), (0,), (0,)), Next.ONWARD, 1),
    "planned": (Disk("q", (0, 1), (0,), (0,)), Next.RERUN, 1),
    "published, not committed": (Disk("q", (0, 1), (0,), (0, 1)), Next.RERUN, 1),
    "power cut took two commits": (Disk("q", (0, 1, 2), (0,), (0, 1, 2)), Next.RERUN, 2),
    "power cut took all commits": (Disk("q", (0, 1, 2), (), (0, 1, 2)), Next.RERUN, 2),
    "an older commit was never written again": (Disk("q", (0, 1, 2), (0, 2), (0, 1, 2)), Next.ONWARD, 3),
    "old offsets removed, their commits not yet": (Disk("q", (2, 3), (0, 1, 2, 3), (0, 1, 2, 3)), Next.ONWARD, 4),
    "killed while old offsets were removed out of order": (Disk("q", (0, 2, 3), (0, 1, 2), (0, 1, 2, 3)), Next.RERUN, 3),
}


@pytest.mark.parametrize("what", REACHABLE)
def test_what_a_crash_leaves_is_accepted(what: str) -> None:
    disk, step, batch = REACHABLE[what]
    assert pairing(disk.facts()) == Proceed(step, batch)
    assert safe(disk)


REFUSED = {
    "no-query-id": Disk(None, (0, 1), (0,), (0,)),
    "offset-gap": Disk("q", (1, 3), (1,), (0, 1, 2)),
    "offset-lost": Disk("q", (0, 1), (0, 1, 2), (0, 1, 2)),
    "output-ahead": Disk("q", (0, 1), (0,), (0, 1, 2)),
    "output-missing": Disk("q", (0, 1, 2), (0, 1), (0, 2)),
    "other-query": Disk("other", (0, 1), (0,), (0, 1)),
    "other-batch": Disk("q", (0, 1), (0,), (0, 1), (1,)),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_refusal_has_its_rule_and_a_sentence(rule: str) -> None:
    verdict = pairing(REFUSED[rule].facts())
    assert isinstance(verdict, Refuse)
    assert verdict.rule == rule
    assert len(verdict.why.split()) > 5


def test_a_lost_checkpoint_is_said_in_these_words() -> None:
    verdict = pairing(Disk(None, (), (), BATCHES).facts())
    assert verdict == Refuse(
        "output-ahead", "batches 0, 1, 2, 3 are published, but the checkpoint is gone: they would be planned again with other input"
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
            assert file_state(offset, committed) is (FileState.DONE if offset in range(committed + 1) else FileState.PLANNED)


def after_rollover_is_right(disk: Disk) -> bool:
    """A new checkpoint starts at the end of the newest *offset*; what was not published by then is never run again."""
    return safe(disk) and bool(disk.offsets) and disk.published == tuple(range(max(disk.offsets) + 1)) and max(disk.offsets) in disk.commits


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
    """And one that is refused for its reach would have ended in a state it does not start from, or had nothing to take back."""
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
            right_end = safe(end) and max(end.offsets, default=-1) == keep and end.published == tuple(range(keep + 1))
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
