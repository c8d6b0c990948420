"""The reader of delivered files: packed or not, marked or not, with any line end, it gives the same text."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.contract.text import lines
from jobs.contract.text.lines import BOM

PACKED = {"x.csv": bytes, "x.csv.gz": gzip.compress, "x.csv.bz2": bz2.compress, "X.CSV.GZ": gzip.compress}
PART = st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")) | st.text(
    max_size=6
).map(lambda t: t.replace("\n", "").replace("\r", "").encode())


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("before", [b"", BOM, BOM + BOM, BOM + b"\n", b"\r\n  \n", BOM + b"\r\n" + BOM])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_first_line_is_the_same_however_the_file_was_written(
    tmp_path: Path, name: str, before: bytes, end: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(PACKED[name](before + b"id;nombre" + end + (b"1;Ana" + end if end else b"")))
    assert lines.first_line(path, 1024) == b"id;nombre"


def test_a_first_line_without_an_end_is_read_as_far_as_allowed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a" * 1_000_000))
    assert lines.first_line(path, 1024) == b"a" * 1024


@pytest.mark.parametrize("data", [b"", BOM, b" \n\r\n", BOM + b"\n" + BOM])
def test_a_file_without_a_record_has_no_first_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    assert lines.first_line(path, 1024) == b""


@pytest.mark.parametrize("name", ["x.gz", "x.bz2"])
def test_what_is_cut_off_or_no_archive_at_all_raises_what_callers_catch(tmp_path: Path, name: str) -> None:
    whole = gzip.compress(b"a;b\n" * 9999) if name == "x.gz" else bz2.compress(b"a;b\n" * 9999)
    for data in (whole[: len(whole) // 2], b"a;b\n"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(lines.UNREADABLE), lines.opened(tmp_path / name) as text:
            text.read()


@settings(deadline=None)
@given(st.integers(0, 3), PART, st.sampled_from([b"", b"\n", b"\r\n"]))
def test_a_line_says_the_same_with_marks_and_line_end(marks: int, text: bytes, end: bytes) -> None:
    assert lines.content(BOM * marks + text + end) == lines.unmarked(text)
    assert lines.is_blank(BOM * marks + text + end) == lines.is_blank(text)


def test_a_mark_inside_a_line_is_data() -> None:
    assert lines.content(b"a" + BOM + b"\n") == b"a" + BOM
    assert not lines.is_blank(b" " + BOM)
