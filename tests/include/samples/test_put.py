"""Files arrive in entrada whole, under a name that was free, with the time of their arrival; what cannot
arrive is refused and leaves nothing."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from include import settings as caudal
from include.samples import facturas, put
from include.settings import Settings
from jobs.contract.errors import Refused, UnsafePath, UsageError
from jobs.contract.stream import Files, Stream, Topic

ROW = Stream("ventas", source=Files(folder="tienda"), sink=Files())


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return caudal.load({"CAUDAL_HOME": str(tmp_path / "home")})


def names(home: Settings) -> list[str]:
    return sorted(p.name for p in home.layout.entrada("tienda").iterdir())


def test_a_file_is_copied_whole_into_the_source_s_folder_and_dated_now(
    home: Settings, tmp_path: Path
) -> None:
    source = tmp_path / "a.json"
    source.write_bytes(b"x" * 3_000_000)
    os.utime(source, (0, 0))
    done = put.file(home, ROW, source)
    assert done == put.Put(home.layout.entrada("tienda") / "a.json", "a.json", 3_000_000)
    assert done.path.read_bytes() == source.read_bytes()
    assert abs(done.path.stat().st_mtime - time.time()) < 60
    assert names(home) == ["a.json"]
    assert not done.renamed


def test_a_taken_name_gets_a_suffix_and_the_older_file_stays(home: Settings, tmp_path: Path) -> None:
    source = tmp_path / "a.json.gz"
    for text in ("1", "2", "3"):
        source.write_text(text)
        put.file(home, ROW, source)
    folder = home.layout.entrada("tienda")
    assert {p.name: p.read_text() for p in folder.iterdir()} == {
        "a.json.gz": "1",
        "a-2.json.gz": "2",
        "a-3.json.gz": "3",
    }


@pytest.mark.parametrize(
    ("name", "arrives"),
    [
        (".hidden.json", "hidden.json"),
        ("_x", "x"),
        ("._", "file"),
        ("a.TMP", "a.TMP.txt"),
        ("b.part", "b.part.txt"),
        ("c.en-camino", "c.en-camino.txt"),
        ("d.json.gz.filepart", "d.json.gz.filepart.gz"),
        ("e.json._COPYING_", "e.json._COPYING_.txt"),
        ("~$f.csv", "f.csv"),
        ("g~", "g~.txt"),
    ],
)
def test_a_name_that_intake_would_pass_over_is_made_visible_and_said(
    home: Settings, tmp_path: Path, name: str, arrives: str
) -> None:
    (tmp_path / name).write_text("1")
    done = put.file(
        home, replace(ROW, source=Files(folder="tienda", under_way=(".en-camino",))), tmp_path / name
    )
    assert (done.path.name, done.wished, done.renamed) == (arrives, name, True)


def test_what_is_no_regular_file_is_refused_with_what_to_do(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "real").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    for name, says in {
        "folder": "a folder",
        "link": "a link",
        "pipe": "not a regular file",
        "none": "no such file",
    }.items():
        with pytest.raises(UsageError, match=says):
            put.file(home, ROW, tmp_path / name)
    assert not home.layout.entrada("tienda").exists()


def test_a_stream_that_reads_a_topic_points_to_produce(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    with pytest.raises(
        Refused, match=r"ventas reads the topic caja, not files .* -> \./caudal produce caja --file FILE"
    ):
        put.file(home, Stream("ventas", source=Topic("caja"), sink=Files()), tmp_path / "a")


def test_a_writer_that_fails_half_way_leaves_nothing_behind(home: Settings) -> None:
    def broken() -> Iterator[str]:
        yield "x" * 100_000
        raise OSError(5, "I/O error")

    with pytest.raises(OSError, match="I/O error"):
        put.lines(home, ROW, "a.json", broken())
    assert names(home) == []


def test_while_a_file_is_written_its_folder_shows_only_a_hidden_name(home: Settings) -> None:
    seen: list[str] = []

    def watching() -> Iterator[str]:
        yield "1"
        seen.extend(names(home))
        yield "2"

    put.lines(home, ROW, "a.json", watching())
    assert [n.startswith(".") for n in seen] == [True]
    assert (home.layout.entrada("tienda") / "a.json").read_text() == "1\n2\n"


def test_entrada_behind_a_link_is_refused(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    home.layout.entrada("tienda").parent.mkdir(parents=True)
    home.layout.entrada("tienda").symlink_to(tmp_path)
    with pytest.raises(UnsafePath):
        put.file(home, ROW, tmp_path / "a")


def test_samples_are_spread_evenly_and_hold_every_invoice_once(home: Settings) -> None:
    done = put.samples(home, ROW, count=10, seed=5, start_ms=1000, files=3)
    texts = [one.path.read_text().splitlines() for one in done]
    assert [len(t) for t in texts] == [4, 3, 3]
    assert list(itertools.chain(*texts)) == list(facturas.documents(10, 5, 1000))
    assert [one.path.name for one in done] == ["facturas-5-1.json", "facturas-5-2.json", "facturas-5-3.json"]
