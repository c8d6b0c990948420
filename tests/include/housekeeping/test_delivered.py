"""Refused records that are delivered again. Each comes back as the record it was, or the plan says why its
reason stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include import settings as caudal
from include.housekeeping.plan_builder import begin
from include.housekeeping.refused import delivered
from include.state import refused_records
from include.state.refused_records import Batch
from jobs.contract.stream import Files, Limits, Stream
from jobs.contract.text import csv_records, reprocessed
from tests.include.housekeeping.handmade import NOW

WHOLE = Stream("s", Files("csv", separator=";", multiline=True), Files())
BY_LINE = Stream("s", Files("csv", separator=";"), Files())
HOSTILE = st.lists(
    st.sampled_from([b'"', b'""', b";", b"\n", b"\r\n", b"a", b"\xef\xbb\xbf"]), max_size=20
).map(b"".join)


def batch(folder: Path, raws: list[tuple[str, bytes]], header: str) -> Batch:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"reason": reason, "origin": "f", "raw": raw.decode(), "run_id": "r", "header": header}
        for reason, raw in raws
    ]
    (folder / "part-0").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return Batch(1, 0, folder, None, ())


def fit(
    home: Path, stream: Stream, raws: list[tuple[str, bytes]], header: str = ""
) -> tuple[list[str], list[str], bytes]:
    """(reasons that are delivered, why others are not, the delivery without its id line)."""
    builder = begin(caudal.load({"CAUDAL_HOME": str(home)}).layout, "s", "reprocess", 1, NOW)
    one = batch(builder.layout.refused_records("s", 1, 0), raws, header)
    chosen = delivered.fit(builder, stream, one, sorted({reason for reason, _ in raws}))
    made = b"".join(
        refused_records.delivery("o", "n", one.folder, delivered.selection(stream, one, chosen, header))
    )
    return chosen, [kept.reason for kept in builder.kept], made[reprocessed.ID_BYTES :]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["malformed", "rule"]), HOSTILE), max_size=4))
def test_what_is_delivered_is_read_as_the_records_it_holds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, bytes]]
) -> None:
    raws = [(reason, raw) for reason, text in texts for raw in csv_records.split_records(text, b";")]
    chosen, kept, made = fit(tmp_path_factory.mktemp("home"), WHOLE, raws)
    assert len(chosen) + len(kept) == len({reason for reason, _ in raws})
    assert sorted(csv_records.split_records(made, b";")) == sorted(
        raw.removesuffix(b"\r") for reason, raw in raws if reason in chosen
    )


def test_a_record_that_spans_lines_comes_back_whole_and_open_quotes_come_last(tmp_path: Path) -> None:
    raws = [("malformed", b'1;"open'), ("rule", b'2;"two\nlines"'), ("rule", b"3;x")]
    assert fit(tmp_path, WHOLE, raws) == (["malformed", "rule"], [], b'2;"two\nlines"\n3;x\n1;"open\n')


def test_open_quotes_that_would_join_two_records_are_kept_with_a_way_out(tmp_path: Path) -> None:
    chosen, kept, made = fit(
        tmp_path, WHOLE, [("malformed", b'1;"open'), ("malformed", b'2";"x'), ("rule", b"3;x")]
    )
    assert (chosen, made) == (["rule"], b"3;x\n")
    assert (
        kept[0].startswith("malformed: its records leave quotes open")
        and "./caudal quarantine show s --raw" in kept[0]
    )


def test_records_with_line_ends_are_not_cut_up_for_a_row_that_reads_lines(tmp_path: Path) -> None:
    chosen, kept, made = fit(tmp_path, BY_LINE, [("malformed", b'1;"open'), ("rule", b'2;"two\nlines"')])
    assert (chosen, made) == (["malformed"], b'1;"open\n')
    assert kept == [
        "rule: its records hold line ends, and the row reads one record a line: "
        "Files(multiline=True) in the row, or discard them"
    ]


def test_a_delivery_that_is_too_large_to_be_read_whole_is_not_made(tmp_path: Path) -> None:
    small = Stream("s", WHOLE.source, Files(), limits=Limits(whole_file_bytes=200))
    chosen, kept, _ = fit(tmp_path, small, [("a", b"x" * 100), ("b", b"y" * 50)])
    assert chosen == ["b"]
    assert kept == [
        "a: a delivery of 230 bytes, the row allows whole_file_bytes=200 (multiline=True): "
        "raise the limit, or choose by --reason"
    ]


def test_records_are_delivered_under_the_header_they_stood_under(tmp_path: Path) -> None:
    assert fit(tmp_path, WHOLE, [("rule", b'1;"a\nb"'), ("malformed", b'2;"c')], "id;t") == (
        ["malformed", "rule"],
        [],
        b'id;t\n1;"a\nb"\n2;"c\n',
    )
    assert fit(tmp_path, WHOLE, [("rule", b'1;a"')], 'id;"t')[0] == []  # the header would take the record in
