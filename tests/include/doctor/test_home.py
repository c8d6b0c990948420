"""Folders, secrets and files in wrong places, each broken for real."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from include.doctor import home as checks
from include.doctor.findings import Finding
from include.services.airflow import keys
from include.settings import Settings
from tests.include.doctor.conftest import STREAM, lines


def test_a_fresh_home_is_sound(empty: Settings) -> None:
    assert [(f.state, f.what) for f in checks.folders(empty)] == [
        ("ok", f"writable, and publishing is a rename [{empty.home}]")
    ]
    assert [f.state for f in checks.strangers(empty)] == ["ok"]
    assert list(checks.staging(empty)) == []


def test_a_home_that_is_not_there_yet_is_a_note(tmp_path: Path, empty: Settings) -> None:
    assert [(f.state, f.what) for f in checks.folders(replace(empty, home=tmp_path / "none"))] == [
        ("note", f"not there yet [{tmp_path / 'none'}]")
    ]


def test_missing_folders_are_one_note_a_link_and_a_file_are_wrong(empty: Settings, tmp_path: Path) -> None:
    data = empty.layout.data
    for name in ("archivo", "retirado", "salida"):
        (data / name).rmdir()
    (data / "salida").symlink_to(tmp_path)
    (data / "archivo").write_text("")
    found = list(checks.folders(empty))
    assert lines(found, "note") == [f"not there yet: {data / 'retirado'}"]
    assert lines(found) == [
        f"a link, and Caudal does not follow links [{data / 'salida'}]",
        f"not a folder [{data / 'archivo'}]",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_wrong(empty: Settings) -> None:
    salida = empty.layout.data / "salida"
    salida.chmod(0o500)
    assert lines(checks.folders(empty)) == [f"this user may not write there [{salida}]"]


def test_two_file_systems_where_publishing_renames_are_wrong(empty: Settings) -> None:
    here = empty.layout.data / "_staging"
    assert list(checks.one_file_system([here, empty.layout.data / "salida"])) == []
    (line,) = lines(checks.one_file_system([here, Path("/proc")]))  # a file system of its own on every Linux
    staging = f"_staging on device {here.stat().st_dev}"
    several = "publishing is a rename, and these are on several file systems"
    assert line.startswith(f"{several}: {staging}, proc on device ")


def test_secrets_are_for_their_owner_alone(empty: Settings) -> None:
    assert [f.state for f in checks.secrets(empty)] == ["note"]
    keys.make(empty)
    assert [(f.state, f.what.split(";")[0]) for f in checks.secrets(empty)] == [
        ("ok", "2 files that only their owner can read")
    ]
    keys.password_file(empty).chmod(0o640)
    (finding,) = checks.secrets(empty)
    assert (finding.state, finding.what, finding.fix) == (
        "wrong",
        f"mode 0640: others can read it [{keys.password_file(empty)}]",
        f"chmod 600 {keys.password_file(empty)}",
    )
    assert keys.password(empty) not in finding.what + finding.fix


def test_files_that_no_stream_reads_are_wrong(published: Settings) -> None:
    assert [f.state for f in checks.strangers(published)] == ["ok"]
    layout = published.layout
    layout.entrada("xyz").mkdir()
    assert [f.state for f in checks.strangers(published)] == ["ok"]  # an empty folder is nobody's loss
    (layout.entrada("xyz") / "garbage.json").write_text("?")
    (layout.entrada("") / "loose.json").write_text("?")
    layout.en_proceso("gone").mkdir()
    (layout.en_proceso("gone") / "000000000001-0123456789abcdef-a.json").write_text("{}")
    (layout.en_proceso(STREAM) / "by-hand.json").write_text("{}")
    assert lines(checks.strangers(published)) == [
        f"a file outside every stream's folder [{layout.entrada('') / 'loose.json'}]",
        f"1 file in a folder that no stream reads [{layout.entrada('xyz')}]",
        f"1 file in a folder that no stream reads [{layout.en_proceso('gone')}]",
        f"1 file that intake did not put there, first 'by-hand.json' [{layout.en_proceso(STREAM)}]",
    ]


def of_stream(settings: Settings) -> list[Finding]:
    return [f for f in checks.waiting(settings) if f.check == f"files of {STREAM}"]


def test_what_waits_or_was_refused_is_a_note_never_a_fault(published: Settings) -> None:
    assert [(f.state, f.what) for f in of_stream(published)] == [
        ("ok", "nothing in entrada, nothing refused, 2 files in en_proceso")
    ]
    layout = published.layout
    (layout.entrada(STREAM) / "new.json").write_text("{}")
    for name in (".hidden", "b.json.crdownload", "c.json~"):
        (layout.entrada(STREAM) / name).write_text("{}")
    layout.refused_files(STREAM).mkdir(parents=True)
    for name in ("0123456789abcdef-b.zip", "0123456789abcdef-b.zip.reason.json"):
        (layout.refused_files(STREAM) / name).write_text("{}")
    (layout.claims(STREAM) / "claimed.json").write_text("{}")
    assert [(f.state, f.what) for f in of_stream(published)] == [
        ("note", "2 files in entrada with the name of a delivery under way, first 'b.json.crdownload'"),
        ("note", "1 file in entrada, first 'new.json'"),
        ("note", "1 file claimed by a run that did not end"),
        ("note", f"1 file refused, the reasons beside them [{layout.refused_files(STREAM)}]"),
    ]


def test_half_written_batches_are_a_note_and_of_no_stream_wrong(empty: Settings) -> None:
    staging = empty.layout.data / "_staging"
    (staging / STREAM / "gen=0001").mkdir(parents=True)
    assert list(checks.staging(empty)) == []
    for name in (STREAM, "gone"):
        (staging / name / "gen=0001" / "batch=000000000.r-1").mkdir(parents=True)
        (staging / name / "gen=0001" / "batch=000000000.r-1" / "part-0").write_text("half")
    found = list(checks.staging(empty))
    assert lines(found, "note") == [f"a run of {STREAM} is under way, or was cut short [{staging / STREAM}]"]
    assert lines(found) == [f"half-written batches of no registered stream [{staging / 'gone'}]"]
