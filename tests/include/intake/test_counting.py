import bz2
import gzip
import hashlib
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.intake import counting
from include.intake.counting import Scan
from include.intake.tally import LineCounter
from include.intake.types import Busy

BOM = b"\xef\xbb\xbf"
PIECES = [
    b"\n",
    b"\xef",
    b"\xbb",
    b"\xbf",
    b"\r",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"a",
    b"\x00",
    b"\xc2\xa0",
    b"\x85",
    b"\x1c",
]
BYTES = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)
BAD_HEADER = (
    "damaged: the gzip cannot be unpacked (Error -3 while decompressing data: incorrect header check); "
    "deliver it again"
)

packed = partial(gzip.compress, mtime=0)  # the same bytes, and test names, in every process


def plain_count(data: bytes) -> int:
    return len(
        [
            line
            for line in data.split(b"\n")
            if re.sub(rb"\A(\xef\xbb\xbf)*", b"", line).strip(b" \t\n\r\x0b\x0c") != b""
        ]
    )


@given(BYTES, st.integers(1, 7))
def test_records_fed_in_pieces_are_the_lines_that_are_not_blank(data: bytes, piece: int) -> None:
    records = LineCounter()
    for start in range(0, len(data), piece):
        records.feed(data[start : start + piece])
    assert records.total() == plain_count(data)


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b"a\nb\n", 2),
        (b"a\nb", 2),
        (b"\n\n \r\n\t\n", 0),
        (b"a\rb\n", 1),
        (b"\xc2\xa0\n", 1),
        (b"a\r\n\r\nb\r\n", 2),
        (BOM, 0),
        (BOM + b"\r\na\n", 1),
        (BOM * 2 + b"\na", 1),
        (b"a\n" + BOM + b"\n" + BOM + b" \r\n" + BOM + b"b\n" + BOM, 2),
        (b"a\n " + BOM + b"\n", 2),
        (b"a\n\xef\xbb", 2),
        (b"\xef\xbb", 1),
        (b"x" * 3_000_000 + b"\ny", 2),
    ],
)
def test_a_scan_gives_hash_size_and_records(tmp_path: Path, data: bytes, records: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(data)
    assert counting.scan(path, "f") == Scan(
        hashlib.sha256(data).hexdigest(), len(data), records, path.stat().st_mtime_ns
    )


@pytest.mark.parametrize(
    ("name", "data", "records", "unfit"),
    [
        ("x.gz", packed(b"a\nb\n\nc"), 3, ""),
        ("x.gz", packed(b"a\nb") + packed(b"c\nd"), 3, ""),
        ("x.gz", packed(b"a\n" * 500_000), 500_000, ""),
        ("x.gz", packed(b""), 0, ""),
        ("x.gz", packed(BOM[:1]) + packed(BOM[1:] + b" \na"), 1, ""),
        ("x.bz2", bz2.compress(BOM + b"\na\n"), 1, ""),
        ("x.gz", packed(os.urandom(5000))[:-1], 0, "truncated: the gzip ends too early; deliver it again"),
        ("x.gz", packed(b"a\n")[:5], 0, "truncated: the gzip ends too early; deliver it again"),
        ("x.gz", b"plain\n", 0, BAD_HEADER),
        ("x.gz", packed(b"a\n") + b"trailing", 0, BAD_HEADER),
        ("x.gz", packed(b"abc\n")[:-8] + b"\0" * 8, 0, BAD_HEADER.replace("header", "data")),
        ("x.bz2", bz2.compress(b"a\n") + bz2.compress(b"b\n"), 2, ""),
        ("x.bz2", bz2.compress(b"a\n" * 9)[:-3], 0, "truncated: the bzip2 ends too early; deliver it again"),
        (
            "x.bz2",
            b"plain",
            0,
            "damaged: the bzip2 cannot be unpacked (Invalid data stream); deliver it again",
        ),
        (
            "x.json",
            packed(b"a"),
            0,
            "packed: the content is gzip, which the name does not say; name it so, or unpack it",
        ),
        (
            "x.json",
            b"PK\x03\x04rest",
            0,
            "packed: the content is zip, which the name does not say; name it so, or unpack it",
        ),
        ("x.json", b"", 0, "empty: no byte in it"),
        ("x.zst", b"abc", 0, "packed: .zst files cannot be counted; deliver plain text, .gz or .bz2"),
    ],
)
def test_compressed_files_are_counted_decoded_or_named_unfit(
    tmp_path: Path, name: str, data: bytes, records: int, unfit: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    found = counting.scan(path, name)
    assert (found.records, found.unfit, found.content_hash) == (
        records,
        unfit,
        hashlib.sha256(data).hexdigest(),
    )


def test_a_bzip2_bomb_is_counted_in_little_memory(tmp_path: Path) -> None:
    bomb = bz2.BZ2Compressor()
    (tmp_path / "x.bz2").write_bytes(
        b"".join(bomb.compress(b"\0" * 10_000_000) for _ in range(20)) + bomb.flush()
    )
    code = (
        "import resource, sys; from pathlib import Path; from include.intake import counting\n"
        "resource.setrlimit(resource.RLIMIT_AS, (150_000_000, 150_000_000))\n"  # 200 MB of text do not fit in
        "print(counting.scan(Path(sys.argv[1]), 'x.bz2').records)\n"
    )
    call = [sys.executable, "-c", code, str(tmp_path / "x.bz2")]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout == "1\n"


def test_a_file_open_for_writing_is_busy_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with path.open("wb") as file:
        file.write(b"a")
        with pytest.raises(Busy, match="a process has it open for writing"):
            counting.check_no_writer(path)
    counting.check_no_writer(path)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "missing"])
def test_what_is_no_plain_file_is_never_opened_as_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f"
    (tmp_path / "target").write_bytes(b"secret\n")
    {
        "link": lambda: path.symlink_to("target"),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "missing": lambda: None,
    }[kind]()
    with pytest.raises(Busy):
        counting.scan(path, "f")
