"""Csv whose quoted fields span lines. It is refused whole if a line inside could pass for a row, or counted
by records if the row says so."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.intake import counting, tally
from include.intake.content import Demands
from jobs.contract.disk import ledger
from jobs.contract.stream import Files, Limits, Stream
from jobs.contract.text.csv_records import split_records
from jobs.contract.text.lines import BOM
from tests.include.intake.home import Home

BY_LINE = Demands("csv", 1 << 30, 1 << 20, 250, b";")
WHOLE = Demands("csv", 1 << 26, 1 << 20, 250, size_limit="whole_file_bytes")
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "x.csv": bytes,
    "x.csv.gz": gzip.compress,
    "x.csv.bz2": bz2.compress,
}
HOSTILE = st.lists(
    st.sampled_from([b'"', b'""', b";", b"\n", b"\r\n", b"a", b" ", BOM, BOM[:1], BOM[1:]]), max_size=24
).map(b"".join)
PART = st.integers(1, 5)
ROWS = st.lists(st.lists(st.text(alphabet='ab;"\n é', max_size=6), min_size=2, max_size=3), max_size=5)
SPANNING = b'id;texto\r\n1;"uno\r\n2;dos\r\ntres"\r\n'


def home(tmp_path: Path, source: Files, limits: Limits | None = None) -> Home:
    return Home(tmp_path / "home", Stream("s", source, Files(), limits=limits or Limits()))


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("mark", [b"", BOM])
def test_a_line_inside_a_field_refuses_the_file_and_names_lines_and_ways_out(
    tmp_path: Path, name: str, mark: bytes
) -> None:
    (tmp_path / name).write_bytes(PACKED[name](mark + SPANNING))
    assert counting.scan(tmp_path / name, name, BY_LINE).unfit == (
        "multiline-field: a quoted field goes from line 2 to line 4, and the row reads one record a line; "
        "Files(multiline=True) in the row reads it, or write the file without line ends in its fields"
    )
    assert counting.scan(tmp_path / name, name, WHOLE, b";").records == 2


@pytest.mark.parametrize(
    "data",
    [
        b'id;t\n1;"uno\n2;dos\n3;tres\n',
        b'id;t\n1;"uno\ndos"\n2;x\n',
        b'1;"a\n2;b\n3;"c";\n',
        b'1;5" x\n2;b\n3;7" y\n',
    ],
)
def test_a_quote_that_costs_its_own_lines_only_refuses_no_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    found = counting.scan(tmp_path / "x.csv", "x.csv", BY_LINE)
    assert (found.unfit, found.records) == ("", data.count(b"\n"))


def test_a_field_is_found_over_more_than_one_piece_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"1;a\n" * 400_000 + b'2;"b\n' + b"3;c\n" * 800_000 + b'd"\n')
    assert "from line 400001 to line 1200002" in counting.scan(tmp_path / "x.csv", "x.csv", BY_LINE).unfit


def test_a_line_that_is_too_long_to_be_kept_is_refused_for_that(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b'1;"' + b"a" * (3 << 20) + b'\n2;b\nc"\n')
    assert counting.scan(tmp_path / "x.csv", "x.csv", BY_LINE).unfit.startswith("line-too-long")


@settings(deadline=None)
@given(HOSTILE, PART)
def test_records_that_span_lines_counted_in_pieces_are_those_of_the_whole(data: bytes, part: int) -> None:
    counter = tally.CsvRecordCounter(b";")
    for start in range(0, len(data), part):
        counter.feed(data[start : start + part])
    assert counter.total() == len(list(split_records(data, b";")))


@settings(deadline=None)
@given(HOSTILE, PART)
@example(b'a;"b\na\na";b\n', 3)
@example(b'aaaa"\n"\na\n"', 5)
def test_a_field_looked_for_in_pieces_is_that_of_the_whole(data: bytes, part: int) -> None:
    """In pieces, more lines may be skipped, never fewer: lines with an even number of quotes, in a piece
    without an odd one."""
    whole, pieces = tally.SpanningFields(b";", 1 << 20), tally.SpanningFields(b";", 1 << 20)
    whole.feed(data, data.count(b"\n"))
    for start in range(0, len(data), part):
        piece = data[start : start + part]
        pieces.feed(piece, piece.count(b"\n"))
    whole_found, found = whole.found(), pieces.found()
    assert found is None or whole_found is not None
    if all(line.count(b'"') % 2 or b'"' not in line for line in data.split(b"\n")):
        assert found == whole_found


@settings(deadline=None)
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_packed_marked_or_plain_a_file_has_the_same_records(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], end: str, marked: bool
) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    text, folder = (BOM if marked else b"") + out.getvalue().encode(), tmp_path_factory.mktemp("packed")
    for name, pack in PACKED.items():
        (folder / name).write_bytes(pack(text))
        found = counting.scan(folder / name, name, WHOLE, b";")
        assert found.records == len(rows) or (not rows and found.unfit)


def test_intake_counts_records_and_a_lost_ledger_is_rebuilt_with_the_same_count(tmp_path: Path) -> None:
    made = home(tmp_path, Files("csv", separator=";", settle_s=2.0, multiline=True))
    made.deliver("a.csv", SPANNING)
    made.deliver("b.csv.gz", gzip.compress(BOM + SPANNING + SPANNING))
    assert [e.records for e in made.admit().admitted] == [2, 4]
    made.layout.ledger("s").unlink()
    made.admit()
    with ledger.reader(made.layout.ledger("s")) as db:
        assert [e.records for e in ledger.finished(db)] == [2, 4]


@pytest.mark.parametrize("name", PACKED)
def test_a_file_that_is_too_large_to_be_read_whole_is_refused_with_both_ways_out(
    tmp_path: Path, name: str
) -> None:
    made = home(tmp_path, Files("csv", settle_s=2.0, multiline=True), Limits(whole_file_bytes=1000))
    made.deliver(name, PACKED[name](b"a,b\n" * 250))
    assert made.admit().refused == ()
    made.deliver(name, PACKED[name](b"a,c\n" * 251))
    (refusal,) = made.admit().refused
    assert refusal.reason.startswith("too-large: ") and refusal.reason.endswith(
        "the row allows whole_file_bytes=1000; split the file, or raise the limit, "
        "which is for files that are read whole (multiline=True)"
    )
