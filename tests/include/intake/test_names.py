import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.intake.names import is_ignored, safe_name, unfit_name
from jobs.contract.text.lines import codec

FILE_NAMES = st.binary(min_size=1, max_size=255).map(
    lambda b: b.replace(b"/", b"_").replace(b"\0", b"_").decode("utf-8", "surrogateescape")
)
SUFFIXES = st.sampled_from(
    ["", ".json", ".csv", ".json.gz", ".GZ", ".bz2", ".Bz2", ".gz ", ".gz\n", ".ｇｚ", ".tar.gz"]
)


@given(FILE_NAMES, SUFFIXES)
def test_a_safe_name_is_short_plain_and_stable(name: str, suffix: str) -> None:
    safe = safe_name(name + suffix)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", safe)
    assert safe_name(safe) == safe


@given(FILE_NAMES, st.sampled_from([".json", ".csv", ".json.gz", ".gz", ".bz2"]))
def test_a_safe_name_keeps_the_suffix_and_so_the_way_spark_decodes_it(name: str, suffix: str) -> None:
    safe = safe_name(name + suffix)
    assert safe.endswith(suffix)
    assert codec(safe) == {".json": "", ".csv": "", ".json.gz": "gz", ".gz": "gz", ".bz2": "bz2"}[suffix]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("facturas-1.json", "facturas-1.json"),
        ("a b[1]{2}*?\\:ñ\n.json", "a_b_1__2_______.json"),
        ("X.JSON.GZ", "X.JSON.gz"),
        ("x.gz ", "x.gz_"),
        ("x.gz\n", "x.gz_"),
        ("y" * 250 + ".json.gz", "y" * 92 + ".json.gz"),
        ("y" * 255, "y" * 100),
        (".".join("ab" for _ in range(80)), ("ab." * 40)[:94] + ".ab.ab"),
        (b"\xff\xfe.csv".decode("utf-8", "surrogateescape"), "__.csv"),
    ],
)
def test_safe_names_of_hostile_ones(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_hidden_names_and_names_of_deliveries_under_way_are_ignored() -> None:
    assert all(is_ignored(n) for n in (".x", "_x", "x.tmp", "x.json.part", "X.TMP", "x.PART"))
    assert not any(is_ignored(n) for n in ("x", "x.json", "tmp", "x.tmp.json", "part-0"))


def test_suffixes_that_spark_reads_otherwise_than_we_count_are_named() -> None:
    assert unfit_name("x.json.zst") == "packed: .zst files cannot be counted; deliver plain text, .gz or .bz2"
    assert all(unfit_name(n) for n in ("x.LZ4", "x.snappy", "x.deflate", "x.xz", "x.zip"))
    assert not any(unfit_name(n) for n in ("x.json", "x.gz", "x.bz2", "zip"))
