"""What a name alone decides: deliveries under way stay, sidecars are set aside, and files that Spark would
skip are admitted under another name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from include.intake import sidecars
from jobs.contract.disk import ledger, storage
from jobs.contract.stream import Files, Stream
from tests.include.intake.home import Home

SIDECARS = [
    "lote.json:Zone.Identifier",
    "lote.json:zone.identifier",
    "lote.json_Zone.Identifier",
    "lote.json\uf03aZone.Identifier",
    "lote.jsonZone.Identifier",
    "lote.json:Zone.Identifier:$DATA",
    "y" * 230 + ".json:Zone.Identifier",
    "lote.json:SmartScreen",
    "lote.json:AFP_AfpInfo",
    "desktop.ini",
    "Desktop.ini",
    "Thumbs.db",
    "thumbs.db:encryptable",
    "Icon\r",
    "lote.json.md5",
    "lote.json.SHA256",
    "lote.csv.gz.asc",
    "lote.sig",
]
DATA = [
    "Zone.Identifier.json",
    "lote:10:00.json",
    "desktop.ini.json",
    "md5",
    "lote.md5.json",
    "SmartScreen",
    "icon",
    "x_AFP_Info",
    "thumbs.db.csv",
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_sidecars_are_set_aside_with_their_reason_and_come_back_to_the_same(home: Home) -> None:
    for number, name in enumerate(SIDECARS):
        home.deliver(name, b'{"id":%d}\n' % number)
    home.deliver("lote.json", b'{"id":"good"}\n')
    taken = home.admit()
    assert [entry.original_name for entry in taken.admitted] == ["lote.json"]
    assert {refusal.original_name for refusal in taken.refused} == set(SIDECARS)
    assert {refusal.code for refusal in taken.refused} == {"sidecar"}
    assert (taken.waiting, len(home.refused())) == ((), len(SIDECARS))
    for name, data in home.refused().items():
        home.deliver(name, data)
        (home.layout.refused_files("s") / name).unlink()
    assert {refusal.code for refusal in home.admit().refused} == {"sidecar"}
    assert len(home.visible()) == 1


@pytest.mark.parametrize("name", DATA)
def test_a_name_that_only_resembles_a_sidecar_is_data(name: str) -> None:
    assert sidecars.reason(name) == ""


def test_deliveries_under_way_stay_untouched_also_those_that_the_row_names(home: Home) -> None:
    home.stream = Stream("s", Files(settle_s=0, under_way=(".lock",)), Files())
    names = [
        "a.json.filepart",
        "b.CRDOWNLOAD",
        "c.json._COPYING_",
        "d.json~",
        "~$e.json",
        "f.json.lock",
        "g.json.LOCK",
    ]
    for number, name in enumerate(names):
        home.deliver(name, b"%d\n" % number)
    taken = home.admit()
    assert (taken.admitted, taken.refused, taken.waiting) == ((), (), ())
    assert sorted(path.name for path in home.entrada.iterdir()) == sorted(names)
    for name in names:
        (home.entrada / name).rename(home.entrada / f"whole-{name}.json")
    assert len(home.admit().admitted) == len(names)


@pytest.mark.parametrize("state", ["lote.json.aria2", "lote.json.lftp-pget-status"])
def test_a_download_under_its_final_name_waits_until_its_state_file_is_gone(home: Home, state: str) -> None:
    home.deliver("lote.json", b"1\n")
    home.deliver("other.json", b"2\n")
    path = home.deliver(state, b"\0\1")
    taken = home.admit()
    assert [entry.original_name for entry in taken.admitted] == ["other.json"]
    assert taken.waiting == (f"lote.json: its download is not over: {state} lies beside it",)
    path.unlink()
    assert [entry.original_name for entry in home.admit().admitted] == ["lote.json"]


def as_of_old(home: Home, name: str) -> str:
    """Gives the admitted file `name` the name of versions before December 2026, in folder and ledger."""
    old = name.removesuffix(".txt")
    (home.layout.en_proceso("s") / name).rename(home.layout.en_proceso("s") / old)
    with closing(sqlite3.connect(home.layout.ledger("s"))) as db, db:
        db.execute("UPDATE entry SET name = ? WHERE name = ?", (old, name))
    return old


def claimed(home: Home, name: str, data: bytes) -> str:
    """Delivers a file as a claim that a killed run has left, and admits it. Returns its admitted name."""
    home.admit()
    home.deliver(name, data).rename(home.layout.claims("s") / name)
    (entry,) = home.admit().admitted
    return entry.name


def test_an_admitted_name_that_spark_skips_is_mended_with_its_row(home: Home) -> None:
    name = claimed(home, "lote.json._COPYING_", b"1\n2\n")
    assert name.endswith("-lote.json._COPYING_.txt")
    rows, old = home.rows(), as_of_old(home, name)
    kept = claimed(home, "other.json_", b"3\n")
    assert kept.endswith("-other.json_.txt")
    kept = as_of_old(home, kept)  # odd, but Spark reads it: its name may stand in a checkpoint
    home.admit()
    assert sorted(home.visible()) == [name, kept]
    assert home.rows()[0] == rows[0]
    assert old not in home.visible()
    assert [refusal.code for refusal in (home.deliver("again.json", b"1\n2\n"), home.admit())[1].refused] == [
        "duplicate"
    ]


@pytest.mark.parametrize("ledger_left", [True, False])
def test_a_kill_between_the_file_s_new_name_and_its_row_s_is_mended(home: Home, ledger_left: bool) -> None:
    name = claimed(home, "lote.json._COPYING_", b"1\n2\n")
    old = as_of_old(home, name)
    (home.layout.en_proceso("s") / old).rename(home.layout.en_proceso("s") / name)
    if not ledger_left:
        home.layout.ledger("s").unlink()
    home.admit()
    assert [(row[0], row[1], row[4]) for row in home.rows()] == [(name, 2, 1)]
    assert home.visible() == {name: b"1\n2\n"}


def test_a_mended_name_is_never_taken_from_another_file(home: Home) -> None:
    first = claimed(home, "lote.json._COPYING_", b"1\n")
    parts = ledger.parse_name(first)
    assert parts is not None
    (home.layout.en_proceso("s") / as_of_old(home, first)).rename(home.layout.claims("s") / "away")
    (home.layout.en_proceso("s") / first.replace(parts.hash_start, "f" * 16)).write_bytes(b"other\n")
    with pytest.raises(Exception, match="ledger-damaged"):
        home.admit()
    assert storage.is_regular(home.layout.claims("s") / "away")
