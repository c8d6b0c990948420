"""reprocess and discard, killed before and after every change on disk. After redo, each record is marked once
and delivered once, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from include.housekeeping import apply as housekeeping
from include.housekeeping import engine
from include.housekeeping.refused import decide
from include.housekeeping.refused.decide import Asked, Verb
from include.state import journal, refused_records
from jobs.contract.commit import manifest
from jobs.contract.disk import storage
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import DataError, JournalDamaged, Refused
from jobs.contract.stream import Topic
from tests.include.housekeeping.handmade import NOW, STREAM, Hand
from tests.include.killing import at_change, killed, memory

__all__ = ["memory"]
RAW = {"malformed": [b"{x", b"\xff\x00\xfe\r"], "missing-field": [b'{"b":1}']}


def quarantined(hand: Hand) -> Hand:
    """A published batch and the records it has refused, in two part files as Spark would leave them."""
    batch = hand.batch(hand.admit(b'{"a":1}\n'))
    folder, output = hand.layout.refused_records("s", 1, batch), hand.layout.batch("s", 1, batch) / MANIFEST
    folder.mkdir(parents=True)
    for number, (reason, raws) in enumerate(RAW.items()):
        lines = [
            {"reason": reason, "origin": "o", "raw": r.decode("utf-8", "surrogateescape"), "run_id": "run"}
            for r in raws
        ]
        (folder / f"part-{number}").write_bytes(
            b"".join(_line(raw, line) for raw, line in zip(raws, lines, strict=True))
        )
    counted = sum(map(len, RAW.values()))
    found = replace(
        manifest.read(output.parent), quarantined=counted, quarantine_digest=refused_records.digest(folder)
    )
    output.write_bytes(found.to_json())
    return hand


def _line(raw: bytes, line: dict[str, str]) -> bytes:
    import base64

    if any(byte > 127 for byte in raw):
        del line["raw"]
        line["raw_base64"] = base64.b64encode(raw).decode()
    return json.dumps(line).encode() + b"\n"


def act(hand: Hand, verb: Verb) -> None:
    def planner() -> decide.Plan:
        return decide.plan(hand.settings, STREAM, NOW, verb, Asked())

    housekeeping.apply(hand.settings, planner(), planner, NOW)


def outcome(hand: Hand) -> tuple[list[list[bytes]], list[tuple[str, ...]]]:
    """(lines of each delivery without its id, reasons of each mark)."""
    entrada = hand.layout.entrada("s")
    files = sorted(
        p for p in entrada.iterdir() if p.is_file() and not p.name.startswith(storage.TEMP_PREFIX)
    )  # half copies: nobody reads them
    (batch,) = refused_records.batches(hand.layout, "s")
    return [sorted(p.read_bytes().split(b"\n")[1:-1]) for p in files], [mark.reasons for mark in batch.marks]


ALL = sorted(raw for raws in RAW.values() for raw in raws)


@pytest.mark.parametrize("verb", ["reprocess", "discard"])
def test_killed_at_any_change_the_next_run_ends_it_right(memory: Path, verb: Verb) -> None:
    first = quarantined(Hand(memory / "first"))
    step, done = 0, False
    while not done:
        step += 1
        hand = first.copy_to(memory / f"h{step}")
        done = not killed(lambda hand=hand: act(hand, verb), at_change(step))  # type: ignore[misc]
        engine.redo(hand.layout, "s", NOW)
        if not journal.operations(hand.layout.journal("s")):
            assert outcome(hand) == ([], [])
            act(hand, verb)
        assert outcome(hand) == ([ALL] if verb == "reprocess" else [], [("malformed", "missing-field")]), step
        assert not decide.plan(hand.settings, STREAM, NOW, verb, Asked()).steps, step
    assert step > 10


def test_a_delivery_that_was_finished_is_not_made_again_by_a_redo_and_another_file_under_its_name_is_named(
    memory: Path,
) -> None:
    hand = quarantined(Hand(memory / "h"))
    act(hand, "reprocess")
    (operation,) = journal.operations(hand.layout.journal("s"))
    steps = journal.steps(hand.layout.journal("s"), operation.id)
    journal_of_another = replace(operation, id="20261124T120000000Z-00000000")
    (target,) = list(hand.layout.entrada("s").iterdir())
    target.write_bytes(b"something else\n")
    with pytest.raises(JournalDamaged, match="another file has this name"):
        engine.apply(hand.layout, "s", journal_of_another, [s for s in steps if s.verb == "deliver"], NOW)


def test_records_that_were_changed_by_hand_are_not_delivered(memory: Path) -> None:
    hand = quarantined(Hand(memory / "h"))
    part = hand.layout.refused_records("s", 1, 0) / "part-0"
    part.write_bytes(part.read_bytes().replace(b"{x", b"{y"))
    with pytest.raises(DataError, match="not those that were published"):
        decide.plan(hand.settings, STREAM, NOW, "reprocess", Asked())


def test_a_topic_s_records_are_never_sent_again_and_the_way_out_is_told(memory: Path) -> None:
    hand = quarantined(Hand(memory / "h"))
    stream = replace(STREAM, source=Topic("facturas"))
    with pytest.raises(
        Refused,
        match=r"every reader of the topic would get them twice.*generation rewind s --to-batch -1 reads",
    ) as caught:
        decide.plan(hand.settings, stream, NOW, "reprocess", Asked())
    assert "rewind" in caught.value.way_ui
    assert decide.plan(hand.settings, stream, NOW, "discard", Asked()).steps
