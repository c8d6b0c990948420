"""The protocol under every interleaving and every crash of a small world; and, rule by rule, the loss that
follows when one is left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from jobs.contract.commit import protocol
from jobs.contract.commit.protocol import Facts, FileState, Next, Proceed, Publish, Refuse
from tests.jobs.contract.explore import explore
from tests.jobs.contract.model import State, Step
from tests.jobs.contract.model_housekeeping import Plan, Stream
from tests.matrix import long

# records x operations; CAUDAL_MODEL=4x5 takes minutes and is for a long look
RECORDS, OPERATIONS = (int(n) for n in os.environ.get("CAUDAL_MODEL", "3x4").split("x"))

STREAMS = {
    "files to files": Stream(),
    "files to files, one a batch": Stream(limit=1),
    "topic to files": Stream(kafka_source=True),
    "topic to files, one record a batch": Stream(kafka_source=True, limit=1),
    "topic to topic": Stream(kafka_source=True, kafka_sink=True),
    "files to topic": Stream(kafka_sink=True),
}
# these take longest, and each has a shorter world of the same kind beside it
LONGEST = ("files to files, one a batch", "topic to files, one record a batch")
BIG = ("topic to files", "files to topic")


def in_full(names: Iterable[str], big: tuple[str, ...]) -> list[Any]:
    """All of them; the big ones are slow."""
    return [pytest.param(name, marks=[pytest.mark.slow] if name in big else []) for name in names]


@pytest.mark.parametrize(
    "kind", [*in_full((name for name in STREAMS if name not in LONGEST), BIG), *map(long, LONGEST)]
)
def test_no_crash_loses_or_repeats_a_record_and_none_needs_a_hand(kind: str) -> None:
    found = explore(replace(STREAMS[kind]), RECORDS, OPERATIONS)
    assert found.failures == {}
    assert found.states > 3_000, "the world has become too small to prove anything"


# --- what each rule is for: leave it out, and the model finds what follows ---

Break = Callable[[pytest.MonkeyPatch, Stream], None]


def no_sync(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "sync_before_publish", lambda state, batch: state)


def no_sync_of_older_commits(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "commits_to_sync", lambda now: ())


def rewind_onto_lost_commit(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """The newest batch that is kept may be one whose commit a power cut took."""
    real = protocol.may_rewind
    patch.setattr(
        protocol,
        "may_rewind",
        lambda facts, keep: real(replace(facts, commits=tuple(sorted({*facts.commits, keep}))), keep),
    )


def no_archive_sync(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "sync_proof", lambda state: state)


def no_sync_of_moves(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "sync_moved", lambda state, steps: state)


def no_inputs_check(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "check_inputs", lambda state, batch: None)


def no_digest(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """Same number = same batch."""
    patch.setattr(protocol, "difference", lambda planned, present: "")


def no_pairing(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    real = protocol._next_step
    patch.setattr(protocol, "pairing", lambda facts: Proceed(Next.REDO, 0) if facts.journal else real(facts))


def no_journal(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    real = protocol.pairing
    patch.setattr(protocol, "pairing", lambda facts: real(replace(facts, journal="")))


def offsets_first(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    def step(facts: Facts, keep: int) -> tuple[str, int] | None:
        for kind, numbers in (
            ("offset", facts.offsets),
            ("commit", facts.commits),
            ("output", facts.published),
        ):
            if numbers and numbers[-1] > keep:
                return kind, numbers[-1]
        return None

    patch.setattr(protocol, "rewind_step", step)


def rollover_with_open_batch(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    def lenient(facts: Facts, unarchived: int) -> Refuse | None:
        return None if facts.commits and not unarchived else Refuse("nothing", "to roll over")

    patch.setattr(protocol, "may_roll_over", lenient)


def rollover_unarchived(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """Rolls over without archiving first, and without asking what is left."""
    real = protocol.may_roll_over
    patch.setattr(protocol, "may_roll_over", lambda facts, unarchived: real(facts, 0))
    patch.setattr(stream, "archive_moves", lambda state: ())


def archive_by_name(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """A name in the source log is taken for proof, whatever is committed."""
    patch.setattr(protocol, "file_state", lambda at, committed: FileState.DONE)


def waiting_by_name(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """A name in the source log is taken for planned: the launcher sees nothing to do."""
    patch.setattr(protocol, "is_unplanned", lambda at, planned: at is None)


def write_again(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """Writes again over what stands there, instead of skipping it."""
    patch.setattr(protocol, "publish", lambda planned, present: Publish.WRITE)


def quarantine_last(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "write_steps", (Stream.send, Stream.publish, Stream.put_in_quarantine))


def manifest_before_sending(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "write_steps", (Stream.publish, Stream.send))


def rollover_from_the_beginning(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """The new generation's record forgets where the old one ended."""
    real = stream.rollover_plan
    patch.setattr(
        stream,
        "rollover_plan",
        lambda state: tuple(s._replace(before=-1) if s.kind == "record" else s for s in real(state)),
    )


def record_first(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """The new generation exists before the old one's files are archived."""
    real = stream.rollover_plan
    patch.setattr(stream, "rollover_plan", lambda state: real(state)[::-1])


def quarantine_first(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    real = stream.with_quarantine
    patch.setattr(stream, "with_quarantine", lambda state, step: real(state, step)[::-1])


def reset_without_files(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "reset_files", lambda state: ())


def files_last(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """A reset retires first and brings the files back after."""

    def plan(state: State) -> Plan:
        return (
            *stream.reset_generations(state),
            *stream.reset_files(state),
            Step("record", len(state.generations), -1, 1),
        )

    patch.setattr(stream, "reset_plan", plan)


def rewind_without_files(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    patch.setattr(stream, "rewind_files", lambda state, keep: ())


def retire_any(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """The current generation, too."""
    patch.setattr(stream, "retirable", lambda state: range(len(state.generations)))


def undo_any_time(patch: pytest.MonkeyPatch, stream: Stream) -> None:
    """Also when the new generation has planned its first batch."""
    patch.setattr(stream, "begun", lambda state: False)


# rule -> (what is left out, stream, what follows). Where a second rule stands behind the first, both are left
# out to show the loss itself.
LEFT_OUT: dict[str, tuple[tuple[Break, ...], str, str]] = {
    "sync": ((no_sync,), "files to files", "refused output-ahead"),
    "sync, and pairing": ((no_sync, no_pairing), "files to files", "refused batch-conflict"),
    "sync, pairing and digest": ((no_sync, no_pairing, no_digest), "files to files", "lost"),
    "sync, Kafka": ((no_sync,), "topic to files", "refused output-ahead"),
    "prevcommit": (
        (no_sync_of_older_commits,),
        "files to files, one a batch",
        "refused planned-file-missing",
    ),
    "rewind onto a lost commit": (
        (rewind_onto_lost_commit,),
        "files to files, one a batch",
        "refused planned-file-missing",
    ),
    "archsync": ((no_archive_sync,), "files to files", "refused planned-file-missing"),
    "proof by commit": ((archive_by_name,), "files to files", "refused planned-file-missing"),
    "proof by commit, and exists": ((archive_by_name, no_inputs_check), "files to files", "lost"),
    "waiting by offset": ((waiting_by_name,), "files to files", "lost"),
    "open": ((rollover_with_open_batch,), "files to files", "repeated"),
    "open, Kafka": ((rollover_with_open_batch,), "topic to files", "lost"),
    "unarchived": ((rollover_unarchived,), "files to files", "repeated"),
    "start of a rollover": ((rollover_from_the_beginning,), "topic to files", "repeated"),
    "journal": ((no_journal,), "files to files", "refused output-missing"),
    "order, and journal": ((offsets_first, no_journal), "files to files", "refused output-ahead"),
    "skip": ((write_again,), "files to files", "repeated"),
    "quarantine before publish": ((quarantine_last,), "files to files", "quarantine lost"),
    "archive before the record, and journal": ((record_first, no_journal), "files to files", "repeated"),
    "output before its quarantine, and journal": (
        (quarantine_first, no_journal),
        "files to files",
        "quarantine lost",
    ),
    "reset brings files back": ((reset_without_files,), "files to files", "lost"),
    "reset brings files back first, and journal": ((files_last, no_journal), "files to files", "lost"),
    "rewind brings files back": ((rewind_without_files,), "files to files", "refused planned-file-missing"),
    "what is moved is durable": ((no_sync_of_moves,), "files to files", "refused journal-damaged"),
    "retire old ones only": ((retire_any,), "files to files", "refused output-missing"),
    "undo before the first offsets": ((undo_any_time,), "files to files", "lost"),
    "send before manifest": ((manifest_before_sending,), "topic to topic", "never sent"),
}


DEEP = ("prevcommit", "rewind onto a lost commit", "undo before the first offsets")  # found after 5 to 10 s


@pytest.mark.parametrize("rule", [*(rule for rule in LEFT_OUT if rule not in DEEP), *map(long, DEEP)])
def test_leaving_a_rule_out_is_found(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks, kind, consequence = LEFT_OUT[rule]
    stream = replace(STREAMS[kind])
    for leave_out in breaks:
        leave_out(monkeypatch, stream)
    found = explore(stream, 3, 4, until=consequence)
    assert consequence in found.failures, found.failures
