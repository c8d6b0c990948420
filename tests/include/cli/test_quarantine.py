"""The verbs of quarantine as they are typed: what is refused, exact bytes, plans that change nothing, then
--apply; JSON as the last line."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include import settings, streams
from include.account import quarantine as account
from include.cli.operate import quarantine
from include.state.refused_records import RefusedRecord
from jobs.contract.disk import ledger
from jobs.contract.errors import DataError, Refused, UsageError
from jobs.contract.stream import Files
from tests.include.housekeeping.handmade import STREAM, Hand
from tests.include.housekeeping.test_quarantine_crash import RAW, quarantined

SUFFIXES = {bytes: "", gzip.compress: ".gz", bz2.compress: ".bz2"}
DELIVERED = [b'{"a":1}', *RAW["malformed"], b"", *RAW["missing-field"], RAW["malformed"][0]]


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """One batch of one file; the first malformed line stands in it twice, but was refused once in this
    handmade quarantine. One refused file."""
    made = quarantined(Hand(tmp_path / "home"))
    (name,) = [p.name for p in made.here.iterdir() if p.is_file()]
    (made.here / name).write_bytes(b"\n".join(DELIVERED) + b"\n")
    for part in made.layout.refused_records("s", 1, 0).glob("part-*"):
        part.write_bytes(part.read_bytes().replace(b'"origin": "o"', f'"origin": "{name}"'.encode()))
    _vouch(made)
    made.admit(b'[{"a":1}]\n')
    monkeypatch.setattr(settings, "load", lambda: made.settings)
    monkeypatch.setattr(streams, "get", lambda name: {"s": STREAM}[name])
    monkeypatch.setattr(streams, "collect", lambda: ({"s": STREAM}, ()))
    return made


def _vouch(hand: Hand) -> None:
    from include.state import refused_records
    from jobs.contract.commit import manifest
    from jobs.contract.disk.layout import MANIFEST

    path = hand.layout.batch("s", 1, 0) / MANIFEST
    path.write_bytes(
        replace(
            manifest.read(path.parent),
            quarantine_digest=refused_records.digest(hand.layout.refused_records("s", 1, 0)),
        ).to_json()
    )


def said(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], dict[str, Any]]:
    lines = capsys.readouterr().out.splitlines()
    return lines[:-1], json.loads(lines[-1])


def test_list_counts_by_batch_and_reason_and_names_refused_files(
    hand: Hand, capsys: pytest.CaptureFixture[str]
) -> None:
    for stream, every in (("s", False), ("", True)):
        quarantine.list_(stream, every, as_json=True)
        lines, told = said(capsys)
        found = told["streams"]["s"]
        groups = [(g["batch"], g["reason"], g["records"], g["state"]) for g in found["records"]]
        assert groups == [(0, "malformed", 2, "open"), (0, "missing-field", 1, "open")]
        assert [(f["original_name"], f["code"]) for f in found["files"]] == [("f0001.json", "json-array")]
        assert any("malformed" in line and "open" in line for line in lines)
    with pytest.raises(UsageError, match="a stream, or --all"):
        quarantine.list_()


def test_show_tells_file_line_reason_and_bytes(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.show("s", as_json=True, most=20)
    lines, told = said(capsys)
    found = [
        (s["file"], s["line"], s["record"]["reason"], s["record"].get("raw", s["record"].get("raw_base64")))
        for s in told["records"]
    ]
    assert found == [
        ("f0000.json", 2, "malformed", "{x"),
        ("f0000.json", 3, "malformed", "/wD+DQ=="),
        ("f0000.json", 5, "missing-field", '{"b":1}'),
    ]
    assert lines[:2] == ["f0000.json, line 2: malformed (open; batch 0 of generation 1, run run)", "  {x"]
    assert lines[3] == "  \\xff\\x00\\xfe\\x0d"
    quarantine.show("s", reason="missing-field", batch=0, most=20)
    assert len(capsys.readouterr().out.splitlines()) == 2
    quarantine.show("s", file="f0001.json", most=20)
    assert capsys.readouterr().out.startswith("file ")


def test_show_raw_writes_the_bytes_as_they_came(
    hand: Hand, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    quarantine.show("s", raw=True)
    assert capfdbinary.readouterr().out == b"".join(raw + b"\n" for raws in RAW.values() for raw in raws)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_line_is_found_in_a_packed_file_and_in_one_of_other_line_ends(
    hand: Hand, pack: Callable[[bytes], bytes], end: bytes
) -> None:
    """The raw record of a file with CRLF has its CR, and the mark at the start of a later line; of the first
    mark of a file Spark tells nothing."""
    mark, kept = b"\xef\xbb\xbf", end.removesuffix(b"\n")
    rows = [mark + b"a", b"b", mark + b"", mark + b"a", b"x" + mark]
    entry = replace(
        next(iter(ledger.lookup(hand.layout.ledger("s"), [p.name for p in hand.here.iterdir()]).values())),
        name="x" + SUFFIXES[pack],
    )
    (hand.here / entry.name).write_bytes(pack(end.join(rows) + end))
    raws = [b"a" + kept, mark + b"a" + kept, b"x" + mark + kept]
    found = account._lines(
        hand.layout, STREAM, entry, [RefusedRecord("r", "", entry.name, raw, "run") for raw in raws]
    )
    assert found == {raws[0]: [1], raws[1]: [4], raws[2]: [5]}
    (hand.here / entry.name).write_bytes(pack(end.join(rows))[:-9])
    if pack is not bytes:
        with pytest.raises(DataError, match="the file of refused records cannot be read"):
            account._lines(hand.layout, STREAM, entry, [RefusedRecord("r", "", entry.name, b"x", "run")])


def test_a_record_that_spans_lines_is_found_where_it_starts_and_shown_on_one_line(
    hand: Hand, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = next(iter(ledger.lookup(hand.layout.ledger("s"), [p.name for p in hand.here.iterdir()]).values()))
    (hand.here / entry.name).write_bytes(b'id;texto\r\n1;"uno\r\n\r\ndos"\r\n2;"tres\ncuatro"\n')
    raws = [b'1;"uno\r\n\r\ndos"', b'2;"tres\ncuatro"']
    whole = replace(STREAM, source=Files("csv", separator=";", multiline=True))
    found = account._lines(
        hand.layout, whole, entry, [RefusedRecord("r", "", entry.name, raw, "run") for raw in raws]
    )
    assert found == {raws[0]: [2], raws[1]: [5]}
    quarantine._say(
        account.Shown(RefusedRecord("r", "", entry.name, raws[1], "run"), 1, 0, "open", "x.csv", 5)
    )
    assert capsys.readouterr().out.splitlines() == [
        "x.csv, line 5: r (open; batch 0 of generation 1, run run)",
        '  2;"tres\\x0acuatro"',
    ]


def test_the_line_in_a_file_that_is_gone_is_unknown(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    name = next(
        ledger.lookup(hand.layout.ledger("s"), [p.name for p in hand.here.iterdir()]).values().__iter__()
    ).name
    (hand.here / name).unlink()
    quarantine.show("s", reason="missing-field", most=20)
    assert capsys.readouterr().out.startswith("f0000.json, line unknown: missing-field")


def test_a_plan_changes_nothing_apply_does_it_once(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(map(str, hand.path.rglob("*")))
    quarantine.reprocess("s", reason=["malformed"], as_json=True)
    lines, told = said(capsys)
    assert (told["applied"], told["steps"], lines[-1]) == (
        False,
        2,
        "nothing was changed; --apply carries it out",
    )
    assert "  2 refused records (2 malformed)" in lines
    assert sorted(map(str, hand.path.rglob("*"))) == before
    quarantine.reprocess("s", reason=["malformed"], apply=True)
    (delivery,) = hand.layout.entrada("s").glob("reproceso-*")
    assert delivery.read_bytes().split(b"\n")[1:] == [*RAW["malformed"], b""]
    capsys.readouterr()
    quarantine.reprocess("s", reason=["malformed"], apply=True, as_json=True)
    lines, told = said(capsys)
    assert (told["applied"], told["steps"], lines[-1]) == (False, 0, "nothing to do")
    quarantine.discard("s", apply=True, as_json=True)
    assert said(capsys)[1]["steps"] == 1
    quarantine.list_("s", as_json=True)
    assert [g["state"] for g in said(capsys)[1]["streams"]["s"]["records"]] == ["reprocessed", "discarded"]


def test_refused_files_go_back_or_to_retirado(hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.reprocess("s", files=True, apply=True)
    (back,) = [p for p in hand.layout.entrada("s").iterdir() if p.is_file()]
    assert back.read_bytes() == b'[{"a":1}]\n'
    assert not list(hand.layout.refused_files("s").iterdir())
    with pytest.raises(UsageError, match="a refused file belongs to no batch"):
        quarantine.discard("s", files=True, batch=0)
    with pytest.raises(UsageError, match="'gestern' is not a time"):
        quarantine.discard("s", since="gestern")
    with pytest.raises(Refused, match="not held: none is held"):
        quarantine.accept("s", batch=0, apply=True)


def test_a_reason_a_batch_or_a_file_that_is_not_there_is_told_what_is(
    hand: Hand, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine.show("s", batch=7, reason="malformd", file="f001.json")
    assert capsys.readouterr().out.splitlines() == [
        "nothing is refused as 'malformd' (refused here: json-array, malformed, missing-field). Did you "
        "mean 'malformed'?",
        "batch 7 has no refused records; batches that have: 0",
        "no refused file is called 'f001.json'. Did you mean 'f0001.json'?",
        "no refused records match",
    ]
    quarantine.discard("s", reason=["mising-field", "malformed"], batch=0)
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0]
        == "nothing is refused as 'mising-field' (refused here: json-array, malformed, missing-field). "
        "Did you mean 'missing-field'?"
    )
    assert [line for line in lines if line.startswith("batch 0 has")] == []
