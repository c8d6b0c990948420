"""The commit protocol as pure functions: from what lies on disk to what may happen next. No path, no clock,
no I/O.

Three commit points exist: Spark's logs, the publish rename, and housekeeping's journal. One fact about Spark
joins them: *it runs only its newest offset again, and assumes that everything below it is done.*
docs/decisions/0001-commit-protocol.md has the table of states, crashes and next actions, and the reason for
each rule. The tests in tests/jobs/contract/ go through every combination.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from jobs.contract.commit.manifest import Identity


@dataclass(frozen=True)
class Facts:
    """One generation of one stream, as found on disk.

    `offsets`, `commits`: batch numbers that the checkpoint retains, ascending. `published`: batch numbers
    with a manifest. `planned`: identity of each retained batch according to the checkpoint. `manifests`:
    identity of each manifest that was read; at least the newest one and those of all planned batches.
    `journal`: the housekeeping operation that is still open, if any.
    """

    query_id: str | None = None
    offsets: tuple[int, ...] = ()
    commits: tuple[int, ...] = ()
    published: tuple[int, ...] = ()
    planned: Mapping[int, Identity] = field(default_factory=dict)
    manifests: Mapping[int, Identity] = field(default_factory=dict)
    journal: str = ""

    @property
    def newest_offset(self) -> int:
        return self.offsets[-1] if self.offsets else -1

    @property
    def newest_commit(self) -> int:
        return self.commits[-1] if self.commits else -1


class Next(StrEnum):
    """What a run has to do first."""

    FRESH = "fresh"  # nothing is planned yet, also after a crash in the first batch
    RERUN = "rerun"  # Spark will run its newest offset again
    ONWARD = "onward"  # everything planned is committed
    REDO = "redo"  # housekeeping was interrupted: finish its journal first


@dataclass(frozen=True)
class Proceed:
    """A run may start. `batch`: the number of the batch that Spark will run first."""

    step: Next
    batch: int


@dataclass(frozen=True)
class Refuse:
    """Nothing may start, because it would lose or repeat records. `rule` is a stable word, `why` a sentence
    for the operator."""

    rule: str
    why: str


def pairing(facts: Facts) -> Proceed | Refuse:
    """May a run start on this generation? The launcher asks under the lease, before it starts Spark."""
    # An open journal comes first: halfway through a rewind or a rollover, no other rule holds.
    if facts.journal:
        return Proceed(Next.REDO, facts.newest_offset)
    return _checkpoint_fault(facts) or _listing_fault(facts) or _content_fault(facts) or _next_step(facts)


def _next_step(facts: Facts) -> Proceed:
    newest = facts.newest_offset
    if newest < 0:
        return Proceed(Next.FRESH, 0)
    return Proceed(Next.ONWARD, newest + 1) if facts.newest_commit == newest else Proceed(Next.RERUN, newest)


def _checkpoint_fault(facts: Facts) -> Refuse | None:
    """A fault among the newest numbers. Gaps and strays further down are none: Spark removes old offsets,
    then old commits, in any order, and a crash may come between."""
    newest = facts.newest_offset
    if facts.query_id is None and (facts.offsets or facts.commits):
        return Refuse(
            "no-query-id", "the checkpoint has lost its metadata file, and Spark does not start without it"
        )
    if newest > 0 and newest - 1 not in facts.offsets:
        return Refuse(
            "offset-gap", f"offset {newest - 1} is gone, and Spark does not start batch {newest} without it"
        )
    if facts.newest_commit > newest:
        return Refuse(
            "offset-lost",
            f"batch {facts.newest_commit} is committed, but the newest offset is {newest}: offsets were lost",
        )
    return None


def _listing_fault(facts: Facts) -> Refuse | None:
    newest, published = facts.newest_offset, facts.published
    beyond = [b for b in published if b > newest]
    if beyond:
        what = "the checkpoint is gone" if newest < 0 else f"the newest offset is {newest}"
        return Refuse(
            "output-ahead",
            f"batches {_short(beyond)} are published, but {what}: Spark would plan them again with other "
            "input",
        )
    needed = max(facts.newest_commit, newest - 1)  # Spark never runs these again
    missing = sorted(set(range(needed + 1)) - set(published))
    if missing:
        return Refuse(
            "output-missing",
            f"batches {_short(missing)} are done according to Spark, but not published: their records would "
            "be lost",
        )
    return None


def _content_fault(facts: Facts) -> Refuse | None:
    others = {m.query_id for m in facts.manifests.values()} - {facts.query_id}
    if others:
        return Refuse(
            "other-query", f"the output belongs to query {min(others)}, the checkpoint to {facts.query_id}"
        )
    # The newest manifest counts even if the checkpoint no longer has its plan: it must at least have the
    # query id.
    if unread := sorted(
        ({*facts.planned} & {*facts.published} | {*facts.published[-1:]}) - facts.manifests.keys()
    ):
        return Refuse(
            "manifest-unread",
            f"the manifests of batches {_short(unread)} have not been compared with the checkpoint",
        )
    for batch in sorted(facts.planned.keys() & facts.manifests.keys()):
        if why := difference(facts.planned[batch], facts.manifests[batch]):
            return Refuse(
                "other-batch", f"batch {batch} is published from other input than the checkpoint's: {why}"
            )
    return None


class Publish(StrEnum):
    WRITE = "write"
    SKIP = "skip"  # the same batch is already published: a run died between publish and commit


def publish(planned: Identity, present: Identity | None) -> Publish | Refuse:
    """What to do with a batch that is about to be written. `present`: identity of the batch published under
    its number, if there is one."""
    if present is None:
        return Publish.WRITE
    if why := difference(planned, present):
        return Refuse("batch-conflict", f"a batch of this number is published from other input: {why}")
    return Publish.SKIP


def difference(planned: Identity, present: Identity) -> str:
    """In words, how the two differ; empty when they are the same batch."""
    if planned.query_id != present.query_id:
        return f"query id {planned.query_id} now, {present.query_id} then"
    if (planned.start, planned.end) != (present.start, present.end):
        return f"positions {planned.start}..{planned.end} now, {present.start}..{present.end} then"
    return (
        ""
        if planned.input_digest == present.input_digest
        else "the same positions, but other files or records"
    )


class FileState(StrEnum):
    """Where a file in en_proceso stands."""

    WAITING = "waiting"  # Spark has not seen it
    PLANNED = "planned"  # in the source's log, its batch is not committed
    DONE = "done"  # proved: it may be archived


def file_state(log_offset: int | None, committed_log_offset: int) -> FileState:
    """`log_offset`: that of the file's entry in the source log; None when it has no entry.
    `committed_log_offset`: the source's position in `offsets/<newest commit>`; -1 without one.

    Only an entry at or below that position proves that the file's rows are published. An entry above it
    belongs to a batch that Spark will run again, and Spark would commit that batch without a file that is
    gone.
    """
    if log_offset is None:
        return FileState.WAITING
    return FileState.DONE if log_offset <= committed_log_offset else FileState.PLANNED


def is_unplanned(log_offset: int | None, planned_log_offset: int) -> bool:
    """Does a file in en_proceso still need a batch? `planned_log_offset`: the source's position in the newest
    offset; -1 without one.

    A kill between source log and offset leaves a file with an entry but without a batch. Spark plans it at
    its next start, even if no new file has arrived. So such a file counts as waiting.
    """
    return log_offset is None or log_offset > planned_log_offset


_NOT_ONWARD = {
    Next.REDO: Refuse("journal", "another operation is open"),
    Next.FRESH: Refuse("no-such-batch", "nothing was read yet: there is no end to start from"),
    Next.RERUN: Refuse("open-batch", "a batch is open: run the stream once, then roll over"),
}


def may_roll_over(facts: Facts, unarchived: int) -> Refuse | None:
    """May a new checkpoint start where the old one ended? Only when nothing is open. `unarchived`: number of
    committed files that are still in en_proceso."""
    verdict = pairing(facts)
    if isinstance(verdict, Refuse):
        return verdict
    if refusal := _NOT_ONWARD.get(verdict.step):
        return refusal
    if unarchived:
        return Refuse(
            "unarchived",
            f"{unarchived} committed files are still in en_proceso: a new checkpoint would read them again",
        )
    return None


def may_rewind(facts: Facts, keep_through: int) -> Refuse | None:
    """May the batches after `keep_through` be taken back? (-1: none is kept.)

    Only while the checkpoint still has the offsets of that batch and of the one before: Spark does not start
    without the offset before its newest.
    """
    verdict = pairing(facts)
    if isinstance(verdict, Refuse):
        return verdict
    if verdict.step is Next.REDO:
        return Refuse("journal", "another operation is open")
    if not -1 <= keep_through < facts.newest_offset:
        return Refuse(
            "no-such-batch",
            f"there is nothing after batch {keep_through}; the newest is {facts.newest_offset}",
        )
    if {b for b in (keep_through, keep_through - 1) if b >= 0} - set(facts.offsets) or (
        keep_through < 0 and 0 not in facts.offsets
    ):
        return Refuse(
            "past-retention",
            f"the checkpoint retains offsets {_short(facts.offsets)}: batch {keep_through} cannot be its "
            "newest",
        )
    if keep_through >= 0 and keep_through not in facts.commits:
        return Refuse(
            "kept-uncommitted",
            f"Spark would run batch {keep_through} again, because a power cut took its commit, but its files "
            "may be archived",
        )
    return None


def rewind_step(facts: Facts, keep_through: int) -> tuple[str, int] | None:
    """The next removal of a rewind, as (kind, batch); None when the rewind is complete.

    Outputs go first, newest first, then commits, then offsets. An offset without output is simply run again.
    An output without its offset would block the number for another batch. So in this order every state in
    between is sound.
    """
    for kind, numbers in (("output", facts.published), ("commit", facts.commits), ("offset", facts.offsets)):
        if numbers and numbers[-1] > keep_through:
            return kind, numbers[-1]
    return None


def _short(numbers: tuple[int, ...] | list[int]) -> str:
    shown = ", ".join(str(n) for n in numbers[:5])
    return shown + (f", … ({len(numbers)} in all)" if len(numbers) > 5 else "")
