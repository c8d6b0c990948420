"""Csv texts cut into records: by cases that the Java side is held to, too, by Python's own csv writer, and by
a slow reading of each byte."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.contract.text.csv_records import Spans, numbered, split_records, stands_alone
from jobs.contract.text.lines import BOM, is_blank, unmarked
from tests.jobs.contract.records_cases import CASES

TEXT = st.text(alphabet='ab;,"\n\r é§', max_size=8)
ROWS = st.lists(st.lists(TEXT, min_size=2, max_size=4), max_size=6)
HOSTILE = st.lists(
    st.sampled_from([b'"', b'""', b";", b"\n", b"\r\n", b"\r", b"a", b" ", BOM, b'"\n"']), max_size=24
).map(b"".join)


def slowly(data: bytes, separator: bytes) -> list[tuple[int, bytes, int]]:
    """By the rules alone, a byte at a time: (line it starts in, record, most lines that one quoted field
    spans)."""
    found, at, line = [], 0, 1
    while at < len(data):
        end, longest = record_end(data, at, separator)
        record = data[at:end].removesuffix(b"\r")
        if not is_blank(record):
            found.append((line, record, longest))
        line += data[at : end + 1].count(b"\n")
        at = end + 1
    return found


def record_end(data: bytes, at: int, separator: bytes) -> tuple[int, int]:
    longest, first, quoted, opened = 0, True, False, 0
    while data[at : at + 3] == BOM:
        at += 3
    while at < len(data):
        if quoted:
            if data[at : at + 2] == b'""':
                at += 1
            elif data[at : at + 1] == b'"':
                rest = data[at + 1 :]
                if not (rest.startswith((separator, b"\n", b"\r\n")) or rest in (b"", b"\r")):
                    break
                longest, quoted = max(longest, data.count(b"\n", opened, at)), False
            at += 1
        elif data[at : at + 1] == b"\n":
            return at, longest
        elif data.startswith(separator, at):
            at, first = at + len(separator), True
        else:
            quoted, opened, first = first and data[at : at + 1] == b'"', at, False
            at += 1
    else:
        if not quoted:
            return at, longest
    line_end = data.find(b"\n", opened)
    return (line_end if line_end >= 0 else len(data)), longest


@pytest.mark.parametrize(("data", "separator", "records"), CASES)
def test_the_cases(data: bytes, separator: bytes, records: list[bytes]) -> None:
    assert list(split_records(data, separator)) == records
    assert [record for _, record, _ in slowly(data, separator)] == records


@settings(deadline=None)
@given(HOSTILE, st.sampled_from([b";", b"a", b"; "]))
def test_any_text_is_cut_by_the_rules(data: bytes, separator: bytes) -> None:
    assert list(numbered(data, separator)) == [(line, record) for line, record, _ in slowly(data, separator)]


@settings(deadline=None)
@given(ROWS, st.sampled_from([";", ",", "§"]), st.sampled_from(["\n", "\r\n"]), st.integers(0, 2))
def test_what_pythons_writer_wrote_comes_back_record_by_record(
    rows: list[list[str]], separator: str, end: str, marks: int
) -> None:
    written = []
    for row in rows:
        out = io.StringIO()
        csv.writer(out, delimiter=separator, lineterminator="", quoting=csv.QUOTE_ALL).writerow(row)
        written.append(BOM * marks + out.getvalue().encode())
    text = b"".join(record + end.encode() for record in written)
    found = list(split_records(text, separator.encode()))
    assert found == written
    plain = "".join(unmarked(record).decode() + end for record in found)
    assert list(csv.reader(io.StringIO(plain, newline=""), delimiter=separator)) == rows


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_a_record_that_stands_alone_is_one_record_whatever_follows(data: bytes, more: bytes) -> None:
    for record in split_records(data, b";"):
        if stands_alone(record, b";"):
            assert next(split_records(record + b"\n" + more, b";")) == record.removesuffix(b"\r")
            assert list(split_records(record + b"\n" + more, b";"))[1:] == list(split_records(more, b";"))


@pytest.mark.parametrize(
    ("record", "alone"),
    [(b'a;"b', False), (b'"a\nb"', True), (b'"a"x', True), (b'a;5"', True), (b'"a\nb";"c', False)],
)
def test_only_an_open_quote_needs_what_follows(record: bytes, alone: bool) -> None:
    assert stands_alone(record, b";") is alone


@pytest.mark.parametrize(
    "line", [b'"a\n', b'a;"b;c\n', b'"""\n', b'"a"x\n', b'a"\n"\n', b'""\n', b'"",""\n', b'"""";\n']
)
def test_the_time_is_linear_in_hostile_texts(line: bytes) -> None:
    took = []
    for times in (10_000, 40_000):
        start = time.process_time()
        sum(1 for _ in split_records(line * times, b";"))
        took.append(time.process_time() - start)
    assert took[1] < 10 * took[0] + 0.2  # a quadratic one takes 16 times as long


def test_one_long_line_of_quoted_fields_takes_linear_time() -> None:
    start = time.process_time()
    assert len(list(split_records(b'"a";' * 100_000, b";"))) == 1
    assert time.process_time() - start < 5


def spans(data: bytes, separator: bytes, pieces: list[int]) -> Spans:
    """Fed with so many lines at a time, in turn."""
    found, rows = Spans(separator), data.split(b"\n")
    for number in range(len(rows)):
        taken, rows = rows[: pieces[number % len(pieces)]], rows[pieces[number % len(pieces)] :]
        found.feed(b"".join(row + b"\n" for row in taken), len(taken))
    return found


@settings(deadline=None)
@given(HOSTILE, st.lists(st.integers(1, 4), min_size=1, max_size=3))
@example(b'"a\n"b;\n1;2\nc"\n', [1])
def test_a_field_with_a_line_inside_is_found_in_any_pieces(data: bytes, pieces: list[int]) -> None:
    widest = max((longest for *_, longest in slowly(data, b";")), default=0)
    if all(
        line.count(b'"') % 2 or b'"' not in line for line in data.split(b"\n")
    ):  # of the others not all are looked at
        assert bool(spans(data, b";", [99]).found) == (widest > 1)
    found = spans(data, b";", pieces).found
    assert not found or (widest > 1 and found[1] - found[0] > 1)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'a;"b\n1;2\nc";d\n', (1, 3)),
        (b'x\n"a\n\n1;2\n""\nb"', (2, 6)),
        (b'a;"b\r\n1;2\r\nc"\r\n', (1, 3)),
        (BOM + b'"a\n1;2\nb";c\n', (1, 3)),
        (b'"a\nb";"c\n1;2\nd"\n', (2, 4)),
        (b'"a;""b\n1;2\nc"\n', (1, 3)),
        (b'"a\nb";c\n', None),  # both halves are refused one by one
        (b'a;"b\n1;2\n3;4\n', None),
        (b'a;"b\n1;2\n3;"c";4\n5;6\n', None),
        (b'a;5" x\n1;2\nb;7" y\n', None),
        (b'"a"\n"b";"c"\n', None),
    ],
)
def test_what_is_a_field_with_a_line_inside(data: bytes, found: tuple[int, int] | None) -> None:
    assert spans(data, b";", [1]).found == found == spans(data, b";", [99]).found


@pytest.mark.parametrize(
    "data", [b'a;TV 32";"b\n1;2\nc";d\n', b'a;TV 32";"b ""c""\n1;2\nc";d\n', b'5" a;"b\n\n1;2\n"\n']
)
def test_an_inch_sign_in_the_line_where_the_field_opens_hides_nothing(data: bytes) -> None:
    assert spans(data, b";", [99]).found
