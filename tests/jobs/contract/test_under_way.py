"""Names of deliveries under way: each program's, in any case, and those of a row; what `put` calls such a
file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract.errors import BrokenStream
from jobs.contract.stream import Files
from jobs.contract.stream.partial_names import BY_PROGRAM, OURS, fault, final_name, is_ignored, is_under_way

ENDINGS = [ending for endings in BY_PROGRAM.values() for ending in endings]
PAGE = (Path(__file__).parents[3] / "docs" / "files.md").read_text(encoding="utf-8")
NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=40)
ODD = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "~$", "~lock.", "#", "._", ".~lock.", "__"]),
        NAMES,
        st.sampled_from(["", "#", *ENDINGS]),
    ),
)


@pytest.mark.parametrize(
    "name",
    [
        "lote.json.filepart",
        "LOTE.JSON.FILEPART",
        "lote.json.CRDOWNLOAD",
        "Unconfirmed 4711.crdownload",
        "aBcDeF.json.part",
        "lote.json.partial",
        "lote.json.0a1b2c3d.partial",
        "lote.json.download",
        "lote.json.opdownload",
        "lote.json._COPYING_",
        "lote.json._copying_",
        "lote.json.!qB",
        "lote.json.!ut",
        "lote.json.aria2",
        "lote.json~",
        "lote.json.~1~",
        "~$lote.xlsx",
        ".~lock.lote.csv#",
        "~lock.lote.csv#",
        ".lote.json.swp",
        "lote.json.swp",
        "lote.json.sb-1a2b3c4d-Qw3rTy",
        "#lote.csv#",
        "lote.json_.gstmp",
        "lote.json.9f8e.part.minio",
        "~syncthing~lote.json.tmp",
        ".syncthing.lote.json.tmp",
        ".lote.json.Xy12zQ",
        "lote.csv.!sync",
        "lote.json.crswap",
        "lote.json.incomplete",
        "_temporary",
        "x\ny.part",
    ],
)
def test_a_name_that_a_program_gives_to_what_is_not_whole_is_ignored(name: str) -> None:
    assert is_ignored(name)


@pytest.mark.parametrize(
    "name",
    [
        "lote.json",
        "part",
        "part-00000.json",
        "lote.part.json",
        "download.csv",
        "tmp",
        "~lote.json",
        "a~b.json",
        "lote.sb-1a2b3c4d-Qw3rTy.json",
        "#1.json",
        "COPYING_",
        "lote_COPYING_.json",
        "lote.lock",
        "swp",
        "lote.json.bak",
        "lote-2026~1.csv",
    ],
)
def test_a_name_that_only_resembles_one_is_taken(name: str) -> None:
    assert not is_ignored(name)


def test_a_row_adds_endings_of_its_own() -> None:
    more = Files(under_way=(".Lock", "-en-camino")).under_way
    assert [is_under_way(name, more) for name in ("x.json.LOCK", "x-EN-CAMINO", "x.part", "x.json")] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "more",
    [
        ".lock",
        [".lock"],
        (1,),
        ("",),
        (".",),
        ("lock",),
        (".a/b",),
        (".a\0",),
        (".json",),
        (".JSON",),
        (".gz",),
        (".txt",),
    ],
)
def test_endings_that_mean_nothing_or_would_hide_whole_files_break_the_row(more: object) -> None:
    with pytest.raises(BrokenStream, match="under_way"):
        Files("json", under_way=more)  # type: ignore[arg-type]


@given(
    st.lists(st.one_of(NAMES, st.sampled_from([".lock", ".csv", ".bz2"])), max_size=3).map(tuple),
    st.sampled_from(["json", "csv"]),
)
def test_what_passes_the_check_hides_no_name_that_caudal_gives(more: tuple[str, ...], form: str) -> None:
    if not fault(more, form):
        assert not any(is_ignored(f"x{ending}", more) for ending in (f".{form}", *OURS))


@given(st.one_of(NAMES, ODD), st.sampled_from([(), (".lock",), ("-1.json",)]))
def test_a_final_name_is_looked_at_and_stays_as_it_is(name: str, more: tuple[str, ...]) -> None:
    final = final_name(name, more)
    assert final and not is_ignored(final, more)
    assert final_name(final, more) == final
    assert is_ignored(name, more) or final == name


@pytest.mark.parametrize(
    ("name", "final"),
    [
        ("a.json.part", "a.json.part.txt"),
        ("a.json.gz.part", "a.json.gz.part.gz"),
        ("a.BZ2._COPYING_", "a.BZ2._COPYING_.bz2"),
        ("~$a.csv", "a.csv"),
        (".~lock.a.csv#", "a.csv#"),
        ("#a.csv#", "a.csv#"),
        ("a.csv~", "a.csv~.txt"),
        (".part", "part"),
        ("_._", "file"),
        ("a.json", "a.json"),
    ],
)
def test_final_names(name: str, final: str) -> None:
    assert final_name(name) == final


def test_the_page_lists_every_ending() -> None:
    table = PAGE.split("## Under way")[1].split("\n## ")[0].lower()
    assert [ending for ending in ENDINGS if f"`{ending}`" not in table] == []
