"""What a file's content is told to be. Above all: a file with good records is never refused for its form."""

import gzip
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from include.intake import counting
from include.intake.content import Demands
from jobs.contract.text.lines import BOM

JSON = Demands("json", file_bytes=1 << 30, line_bytes=1 << 26, unpack_ratio=250)
CSV = Demands("csv", file_bytes=1 << 30, line_bytes=1 << 26, unpack_ratio=250)
RECORDS = [{"id": n, "items": [{"a": 1}, {"b": "ñ\n"}], "nested": {"x": {}}} for n in range(40)]
LINES = "".join(json.dumps(r) + "\n" for r in RECORDS)
PRETTY = "".join(json.dumps(r, indent=2) + "\n" for r in RECORDS)
BIG = [
    {"id": n, "text": "x" * 500, "in": [{"a": n}]} for n in range(5000)
]  # 2.7 MB: goes on beyond what is looked at
NOISE = random.Random(5).randbytes(100_000)


def reason(data: bytes, demands: Demands = JSON) -> str:
    """As a file of this content is counted, in pieces."""
    counter = counting._counter("", demands, b"")
    for start in range(0, len(data), counting.CHUNK_BYTES):
        counter.feed(data[start : start + counting.CHUNK_BYTES])
    return counter.end()


def code(data: bytes | str, demands: Demands = JSON) -> str:
    return reason(data.encode() if isinstance(data, str) else data, demands).partition(":")[0]


WHOLE: list[tuple[str, bytes | str, str]] = [
    ("indented documents", PRETTY, "pretty-printed"),
    ("one indented document", json.dumps(RECORDS[0], indent=2), "pretty-printed"),
    ("indented, beyond the head", "".join(json.dumps(r, indent=1) + "\n" for r in BIG), "pretty-printed"),
    ("one document, beyond the head", json.dumps({"all": BIG}, indent=1), "pretty-printed"),
    ("an indented one, cut off", PRETTY[: len(PRETTY) // 2].rsplit("\n", 5)[0], "pretty-printed"),
    ("an indented one with a fault", PRETTY.replace('"id": 3', '"id" 3'), "pretty-printed"),
    ("the first with a fault", PRETTY.replace('"id": 0', '"id" 0'), "pretty-printed"),
    ("with CRLF, mark and blank lines", "\ufeff\r\n \r\n" + PRETTY.replace("\n", "\r\n"), "pretty-printed"),
    ("an array on one line", json.dumps(RECORDS), "json-array"),
    ("an array on one line, beyond the head", json.dumps(BIG) + "\n", "json-array"),
    ("an indented array", json.dumps(RECORDS, indent=4), "json-array"),
    ("an indented array, beyond the head", json.dumps(BIG, indent=4), "json-array"),
    ("an array of one record a line", "[\n" + ",\n".join(map(json.dumps, RECORDS)) + "\n]\n", "json-array"),
    ("comma first", "[" + "\n,".join(map(json.dumps, RECORDS)) + "]", "json-array"),
    ("the same beyond the head", "[\n" + ",\n".join(map(json.dumps, BIG)) + "\n]\n", "json-array"),
    ("an empty array", "[]\n", "json-array"),
    ("CR alone", LINES.replace("\n", "\r"), "cr-only"),
    ("CR alone, a mark, a last LF", "\ufeff" + LINES.replace("\n", "\r") + "\n", "cr-only"),
    ("UTF-16", LINES.encode("utf-16"), "encoding"),
    ("UTF-16 big-endian with a mark", b"\xfe\xff" + LINES.encode("utf-16-be"), "encoding"),
    ("UTF-16 without a mark", LINES.encode("utf-16-le"), "encoding"),
    ("UTF-32", LINES.encode("utf-32"), "encoding"),
    ("NULs", b"\0" * 3_000_000, "nul-filled"),
    ("NULs and blanks only", b" \n\0\0", ""),  # a bad record
    ("white space", b" \n\t\r\n", "blank"),
    ("a mark alone", BOM, "blank"),
    ("a program", b"\x7fELF\x02\x01\x01" + NOISE, "binary"),
    ("Parquet", b"PAR1\x15\x04\x15" + NOISE, "binary"),
    ("SQLite", b"SQLite format 3\0" + NOISE, "binary"),
    ("random bytes", NOISE, "binary"),
    (
        "a tar of good lines",
        b"x.json".ljust(257, b"\0") + b"ustar\x0000".ljust(255, b"\0") + LINES.encode(),
        "binary",
    ),
    ("an error page", "<!DOCTYPE html>\n<html><body>502</body></html>\n", "markup"),
    ("XML", '<?xml version="1.0"?>\n<a>\n</a>\n', "markup"),
]


@pytest.mark.parametrize(("data", "expected"), [pytest.param(d, e, id=i) for i, d, e in WHOLE])
def test_what_is_not_one_record_a_line_is_told_by_one_reason(data: bytes | str, expected: str) -> None:
    assert code(data) == expected


ONE_BY_ONE: list[tuple[str, bytes | str]] = [
    ("good lines", LINES),
    ("no last LF", LINES[:-1]),
    ("one record with CR as white space", '{\r"a":\r{"x":1}\r}\r\n'),
    ("a torn brace first", "{\n" + LINES),
    ("a torn bracket first", "[\n" + LINES),
    ("a bracket last", LINES + "]\n"),
    ("a record over two lines first", '{"a":1,\n"b":2}\n' + LINES),
    ("an indented document first", json.dumps(RECORDS[0], indent=2) + "\n" + LINES),
    ("an array first", "[1]\n" + LINES),
    ("an indented array first", json.dumps(RECORDS[:3], indent=2) + "\n" + LINES),
    ("an open array and one good record", '[1,2,\n{"a":1}\n'),
    ("half a record", '{"a":1,"b'),
    ("half a record with its LF", '{"a":1,\n'),
    ("two torn records", '{"a":1,\n{"b":2,\n'),
    ("UTF-16's mark before good lines", b"\xff\xfe" + LINES.encode()),
    ("a line of UTF-16 before good lines", LINES[:80].encode("utf-16") + b"\n" + LINES.encode()),
    ("NULs before good lines", b"\0" * 8192 + b"\n" + LINES.encode()),
    ("NULs after good lines", LINES.encode() + b"\0" * 8192),
    ("random bytes before good lines", NOISE[:9000] + b"\n" + LINES.encode()),
    ("a tag before good lines", "<html>\n" + LINES),
    ("words", "PAR1,PAR2\n1,2\n"),
    ("deep brackets", "[" * 500_000),
    ("deep braces", '{"a":' * 300_000 + "\n" + LINES),
    ("a long number", '{"a":' + "9" * 10_000 + "}\n"),
    ("scalars", "1\n2\n"),
]


@pytest.mark.parametrize("data", [pytest.param(d, id=i) for i, d in ONE_BY_ONE])
def test_faults_of_single_records_leave_the_file_to_be_read_line_by_line(data: bytes | str) -> None:
    assert code(data) == ""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a,b\n1,2\n", ""),
        (b"a,b\n", ""),
        (b"[a],{b}\n1,2\n", ""),
        (b'1,"a\rb"\n', ""),
        (b"a,b\r1,2\r3,4\r", "cr-only"),
        ("a,b\n1,ñ\n".encode("utf-16"), "encoding"),
        ("a;b\n1;€\n2;x\n".encode("utf-16-le"), "encoding"),
        (b"ORC,PAR1\n1,2\n", ""),
        (b"ORC\x08\x03\x10\x80" + NOISE, "binary"),
        ("Señor;Año\n1;2\n".encode("latin-1"), ""),
    ],
)
def test_csv_is_told_from_what_is_none(data: bytes, expected: str) -> None:
    assert code(data, CSV) == expected


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=6), JSON_VALUES, max_size=4)
BLANK_LINES = st.text(" \t\r\x0b\x0c", max_size=3)


@st.composite
def good_lines(draw: st.DrawFn) -> str:
    """A record as a careful or a sloppy producer writes it: any escapes, any white space except LF."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r")]))
    text = json.dumps(draw(OBJECTS), ensure_ascii=draw(st.booleans()), separators=separators)
    return draw(st.text(" \t\r", max_size=2)) + text + draw(st.text(" \t\r", max_size=2))


@given(
    st.lists(good_lines() | BLANK_LINES, min_size=1, max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
@example(['{"a":\r1}'], "\n", True, False)
@example(["\r", ' \r{"a":1}\r'], "\n", False, True)
def test_a_good_file_is_never_refused(lines: list[str], end: str, with_mark: bool, last_end: bool) -> None:
    """Mark, CRLF, blank lines, leading blanks, no last line end."""
    assume(any(line.strip() for line in lines))
    text = ("\ufeff" if with_mark else "") + end.join(lines) + (end if last_end else "")
    assert reason(text.encode("utf-8", "surrogatepass")) == ""


JUNK = st.one_of(
    st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")),
    st.sampled_from(
        [
            b"{",
            b"[",
            b"]",
            b"}",
            b"[{",
            b'{"a":',
            b"[1,2,",
            b",",
            b"\xff\xfe",
            b"\0" * 50,
            b"<html>",
            b"[]",
            b'"',
            b"{}x",
        ]
    ),
)


@given(st.lists(JUNK, max_size=6), good_lines(), st.lists(JUNK | good_lines().map(str.encode), max_size=6))
@example([b"["], '{"a":1}', [])
@example([b"{"], '{"a":1}', [b"}"])
def test_a_good_record_among_bad_ones_is_read_unless_the_whole_is_one_document(
    before: list[bytes], good: str, after: list[bytes]
) -> None:
    data = b"\n".join([*before, good.encode("utf-8", "surrogatepass"), *after, b""])
    assume(counting.names.magic(data) == "" and not _is_documents(data))
    assert code(data) == ""


def _is_documents(data: bytes) -> bool:
    text, start = data.decode("utf-8", "replace").strip(), 0
    try:
        while start < len(text):
            start = json.JSONDecoder().raw_decode(text, start)[1]
            start += len(text[start:]) - len(text[start:].lstrip())
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_line_over_the_limit_is_found_whereever_it_stands(tmp_path: Path, suffix: str) -> None:
    demands = Demands("json", 1 << 30, line_bytes=2_000_000, unpack_ratio=250)
    for number, (before, longest, after) in enumerate(
        [(0, 2_000_000, 0), (0, 2_000_001, 0), (5, 2_000_000, 5), (1_100_000, 2_000_001, 3)]
    ):
        line = b'{"a":"' + random.Random(1).randbytes(longest // 2).hex().encode()[: longest - 8] + b'"}'
        data = b"\n".join([b'{"b":1}'.ljust(before), line.ljust(longest), b"x" * after])
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(gzip.compress(data, 1) if suffix else data)
        limit = "the row allows line_bytes=2000000; split it, or raise the limit"
        told = f"line-too-long: a line of {longest} bytes, {limit}"
        assert counting.scan(path, path.name, demands).unfit == (told if longest > 2_000_000 else "")


def test_a_file_over_its_limit_is_refused_without_being_read(tmp_path: Path) -> None:
    """A sparse file of 1 TiB: reading it would take an hour."""
    path = tmp_path / "x.json"
    path.write_bytes(b'{"a":1}\n')
    os.truncate(path, 1 << 40)
    found = counting.scan(path, "x.json", JSON)
    told = (
        f"too-large: {1 << 40} bytes, the row allows file_bytes={1 << 30}; split the file, or raise the limit"
    )
    assert (found.unfit, found.size_bytes, found.only_start) == (told, 1 << 40, True)


def test_a_packed_file_is_unpacked_no_further_than_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n' * 9_000_000, 1))  # 72 MB of text, packed 200 to 1 and better
    assert counting.scan(path, "x.gz", Demands("json", 1 << 30, 1 << 26, 1000)).unfit == ""
    told = counting.scan(path, "x.gz", Demands("json", 1 << 30, 1 << 26, 50)).unfit
    assert told.startswith("bomb: it unpacks to ")
    assert told.endswith(" times its size, the row allows unpack_ratio=50; unpack it, or raise the limit")
    told = counting.scan(path, "x.gz", Demands("json", 50_000_000, 1 << 26, 1000)).unfit
    assert (
        told == "too-large: more than 50000000 bytes unpacked, "
        "the row allows file_bytes=50000000; split the file, or raise the limit"
    )


def test_packed_nothing_is_blank_and_not_nul_filled(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b""))
    assert (
        counting.scan(tmp_path / "x.gz", "x.gz", JSON).unfit
        == "blank: not one record in it, only white space"
    )


@pytest.mark.parametrize(
    "data", [gzip.compress(LINES.encode()), b"PK\x03\x04", b"[1,\n2]", b"\0\0", LINES.encode("utf-16")]
)
def test_packed_text_is_looked_at_as_plain_text_is(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(data))
    assert counting.scan(path, "x.json.gz", JSON).unfit.partition(":")[0] in (
        "binary",
        "json-array",
        "nul-filled",
        "encoding",
    )
