"""The archive planner against a plain reference, over random checkpoints.

They have any mix of batches, merged log offsets, compact files, lost
commits, purged offsets, open batches, waiting files and names that hurt."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from include.housekeeping.files import archive
from jobs.contract.disk import ledger
from jobs.contract.disk.ledger import Entry
from tests.include.housekeeping.handmade import ADMITTED, NOW, STREAM, Hand

NAMES = st.text(alphabet="ab.%+-_09", min_size=1, max_size=6)


@dataclass(frozen=True)
class Shape:
    """`batches`: for each batch its groups (log offsets), and for each group its number of files.

    `committed`, `compact`, `purged`: fractions.
    """

    batches: list[list[int]]
    last_committed: bool
    lost_commits: int
    compact: int
    purged: int
    logged_only: int
    waiting: int


SHAPES = st.builds(
    Shape,
    st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=0, max_size=6),
    st.booleans(),
    st.integers(0, 3),
    st.integers(-1, 12),
    st.integers(-1, 4),
    st.integers(0, 2),
    st.integers(0, 2),
)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.lists(NAMES, min_size=70, max_size=70))
def test_exactly_the_committed_files_are_archived_each_with_its_batch(shape: Shape, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hand = Hand(Path(folder) / "home")
        left = _admitted(hand, shape, names)
        expected = _build(hand, shape, left)
        found = archive.plan(hand.settings, STREAM, NOW)
        assert {step.source.rpartition("/")[2]: step.batch for step in found.steps} == expected
        assert [step.source for step in found.steps] == sorted(step.source for step in found.steps), (
            "in order of admission"
        )
        assert {kept.reason for kept in found.kept} <= {archive.UNCOMMITTED}
        archive.sweep(hand.settings, STREAM, NOW)
        assert archive.plan(hand.settings, STREAM, NOW).steps == ()
        stay = {name for name, places in hand.places().items() if places == ["en_proceso/s"]}
        assert all(len(places) == 1 for places in hand.places().values())
        assert stay.isdisjoint(expected)
        assert len(stay) + len(expected) == _count(shape)


def _count(shape: Shape) -> int:
    return sum(map(sum, shape.batches)) + shape.logged_only + shape.waiting


def _admitted(hand: Hand, shape: Shape, names: list[str]) -> list[str]:
    """Writes files into en_proceso, each with a row, but without intake, whose safe names are few of the
    names that a ledger may hold."""
    found = []
    hand.here.mkdir(parents=True)
    path = hand.layout.ledger("s")
    with ledger.writer(path) as db, ledger.transaction(db):
        ledger.create(db)
        for number in range(1, _count(shape) + 1):
            data = b"%d\n" % number
            digest = ledger_hash(data)
            name = ledger.admitted_name(
                number, digest, names[number].replace("%", ".").replace("+", "-") or "x"
            )
            entry = Entry(
                number, digest, names[number], name, len(data), 1, number, number, ADMITTED.isoformat()
            )
            ledger.insert(db, [entry], finished=True)
            (hand.here / name).write_bytes(data)
            found.append(name)
    return found


def ledger_hash(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _build(hand: Hand, shape: Shape, names: list[str]) -> dict[str, int]:
    """Writes the checkpoint; returns what may be archived, file -> batch.

    The reference: batches up to the newest commit that is left.
    """
    rest = iter(names)
    by_batch = []
    for groups in shape.batches:
        taken = [[next(rest) for _ in range(size)] for size in groups]
        last = len(by_batch) == len(shape.batches) - 1
        hand.batch(*taken, committed=shape.last_committed or not last)
        by_batch.append([name for group in taken for name in group])
    if shape.logged_only:
        hand.enter([next(rest) for _ in range(shape.logged_only)], max(hand.ends.values(), default=-1) + 1)
    committed = [b for b in range(len(by_batch)) if (hand.checkpoint / "commits" / str(b)).exists()]
    for batch in committed[len(committed) - shape.lost_commits :] if shape.lost_commits else []:
        (hand.checkpoint / "commits" / str(batch)).unlink()
        committed.remove(batch)
    hand_log = max((offset for _, offset in hand.log), default=-1)
    if hand_log >= 0 and shape.compact >= 0:
        hand.compact(min(shape.compact, hand_log))
    purged = min(shape.purged, len(by_batch) - 3)
    for batch in range(purged + 1):
        for folder in ("offsets", "commits"):
            (hand.checkpoint / folder / str(batch)).unlink(missing_ok=True)
    newest = max((b for b in committed if b > purged), default=-1)
    return {name: batch for batch in range(newest + 1) for name in by_batch[batch]}
