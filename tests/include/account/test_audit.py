"""Audit of homes that real runs have filled, whole and damaged by hand: each damage is found and named,
nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include import intake, streams
from include import settings as caudal
from include.account.audit import examine as audits
from include.account.audit.findings import Audit
from include.cli.operate import audit as verb
from include.housekeeping.generations import purge, reset, rewind, rollover
from include.settings import Settings
from jobs.contract.disk import ledger
from jobs.contract.disk.layout import MANIFEST, Layout
from jobs.contract.errors import LedgerDamaged, Refused, UsageError
from jobs.contract.stream import Checks, Files, Stream, Upkeep
from tests.include.housekeeping.homes import NOW, Home

pytestmark = [pytest.mark.spark, pytest.mark.slow]
STREAM = Stream(
    "facturas_ficheros", Files("json", settle_s=0), Files("json"), checks=Checks(report=("items-count",))
)


def audit(settings: Settings, since: datetime | None = None, stream: Stream = STREAM) -> Audit:
    return audits.audit(settings, stream, since, lambda _: None)


def told(found: Audit) -> list[str]:
    return [str(difference) for difference in found.differences]


@pytest.fixture(scope="module")
def lived(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Generation 1: batches 0 to 2, all archived; generation 2: batches 0 and 1, the last file still in
    en_proceso."""
    home = Home.at(tmp_path_factory.mktemp("lived"), spark)
    for name, numbers, bad in (("a.json", (1, 2, 3), 2), ("b.json", (4, 5), 0), ("c.json", (6,), 1)):
        home.put(name, *numbers, bad=bad)
        home.run()
    home.archive()
    home.apply(lambda: rollover.plan(home.settings, home.stream, home.now))
    home.put("d.json", 7, 8)
    home.run()
    home.archive()
    home.put("e.json", 9, bad=1)
    home.run()
    return home


@pytest.fixture
def copy(lived: Home, tmp_path: Path) -> Settings:
    shutil.copytree(lived.settings.home, tmp_path / "home")
    return caudal.load(lived.settings.environ | {"CAUDAL_HOME": str(tmp_path / "home")})


def part(layout: Layout, generation: int, batch: int) -> Path:
    return next(
        p for p in sorted(layout.batch(STREAM.name, generation, batch).glob("part-*")) if p.stat().st_size
    )


def change(layout: Layout, batch: int, **values: Any) -> Path:
    path = layout.batch(STREAM.name, 1, batch) / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return path


def delivered(layout: Layout, name: str) -> Path:
    return next(p for p in sorted(layout.data.rglob(f"*-{name}")) if ledger.parse_name(p.name))


def test_a_home_that_has_lived_adds_up(lived: Home) -> None:
    found = audit(lived.settings)
    assert (told(found), found.unchecked) == ([], [])
    assert found.counts == {
        "batches": 5,
        "part files": found.counts["part files"],
        "records in": 13,
        "quarantined": 4,
        "rows out": 9,
        "files read": 5,
        "lines": 13,
        "files refused": 0,
    }


def test_since_reads_only_what_came_then(lived: Home) -> None:
    assert audit(lived.settings, NOW + timedelta(days=1)).counts == {
        "files refused": 0,
        "files read": 5,
        "lines": 13,
    }  # intake's clock is far ahead
    found = audit(lived.settings, datetime(2100, 1, 1, tzinfo=UTC))
    assert (found.counts, told(found)) == ({"files refused": 0}, [])


def cut(layout: Layout) -> list[str]:
    path = part(layout, 1, 0)
    path.write_bytes(path.read_bytes()[:-10])
    return ["batch 0 of generation 1", path.name, "bring its folder back"]


def other_bytes(layout: Layout) -> list[str]:
    path = part(layout, 2, 0)
    path.write_bytes(path.read_bytes().replace(b"1.5", b"2.5"))
    return ["batch 0 of generation 2", path.name, "other content"]


def part_removed(layout: Layout) -> list[str]:
    part(layout, 1, 1).unlink()
    return ["batch 1 of generation 1", "is gone", "generation rewind facturas_ficheros --to-batch 0"]


def part_added(layout: Layout) -> list[str]:
    shutil.copy(part(layout, 1, 1), part(layout, 1, 1).with_name("part-more.json"))
    return ["part-more.json", "batch 1's manifest does not name it", "move it out"]


def records_changed(layout: Layout) -> list[str]:
    change(layout, 1, records_in=3)
    return ["batch 1 of generation 1", "2 lines in its 1 files, its manifest says 3 records in"]


def rows_changed(layout: Layout) -> list[str]:
    change(layout, 2, rows_out=2)
    return ["batch 2 of generation 1", "2 rows out, and 1 by file"]


def refused_changed(layout: Layout) -> list[str]:
    change(layout, 0, quarantined=1)
    return ["batch 0 of generation 1", "2 records lie in", "its manifest says 1"]


def manifest_torn(layout: Layout) -> list[str]:
    path = change(layout, 2)
    path.write_text(path.read_text()[:100])
    return ["batch 2 of generation 1", "unreadable manifest"]


def quarantine_removed(layout: Layout) -> list[str]:
    shutil.rmtree(layout.refused_records(STREAM.name, 1, 0))
    return ["batch 0 of generation 1", "its 2 quarantined records are gone"]


def quarantine_edited(layout: Layout) -> list[str]:
    path = next(p for p in layout.refused_records(STREAM.name, 1, 2).glob("part-*") if p.stat().st_size)
    path.write_bytes(path.read_bytes().replace(b"malformed", b"mal-formed"))
    return ["batch 2 of generation 1", "are not those its manifest names"]


def line_added(layout: Layout) -> list[str]:
    with (path := delivered(layout, "b.json")).open("a") as file:
        file.write('{"InvoiceNumber": "late"}\n')
    return [str(path), "changed since intake", "3 lines now", "and 2 at intake"]


def delivered_gone(layout: Layout) -> list[str]:
    (path := delivered(layout, "c.json")).unlink()
    return [str(path), "neither in archivo nor in en_proceso"]


def waiting_gone(layout: Layout) -> list[str]:
    (path := delivered(layout, "e.json")).unlink()
    return [path.name, "neither in archivo nor in en_proceso"]


def batch_gone(layout: Layout) -> list[str]:
    shutil.rmtree(layout.batch(STREAM.name, 1, 1))
    return ["batch 1 of generation 1", "its folder is missing, later ones are there"]


def newest_batch_gone(layout: Layout) -> list[str]:
    shutil.rmtree(layout.batch(STREAM.name, 2, 1))
    return [str(layout.checkpoint(STREAM.name, 2)), "1", "checkpoint show"]


def stranger(layout: Layout) -> list[str]:
    path = delivered(layout, "a.json").with_name("notes.txt")
    path.write_text("what is this\n")
    return [str(path), "the intake ledger does not know it"]


def output_gone(layout: Layout) -> list[str]:
    shutil.rmtree(layout.output(STREAM.name, 1))
    return ["the whole output of generation 1 is gone"]


DAMAGES: tuple[Callable[[Layout], list[str]], ...] = (
    cut,
    other_bytes,
    part_removed,
    part_added,
    records_changed,
    rows_changed,
    refused_changed,
    manifest_torn,
    quarantine_removed,
    quarantine_edited,
    line_added,
    delivered_gone,
    waiting_gone,
    batch_gone,
    newest_batch_gone,
    stranger,
    output_gone,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damage_is_found_and_named_with_what_to_do(
    copy: Settings, damage: Callable[[Layout], list[str]]
) -> None:
    words = damage(copy.layout)
    found = told(audit(copy))
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), (words, found[0])
    assert " -> " in found[0]


def test_two_files_that_swapped_their_content_are_both_named(copy: Settings) -> None:
    one, two = (delivered(copy.layout, name) for name in ("a.json", "b.json"))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert [str(p) in line for p, line in zip((one, two), told(audit(copy)), strict=True)] == [True, True]


def test_an_archived_file_that_no_batch_has_read_is_named(copy: Settings) -> None:
    entrada = copy.layout.entrada(STREAM.name)
    entrada.mkdir(parents=True, exist_ok=True)
    (entrada / "f.json").write_text('{"InvoiceNumber": "1"}\n')
    intake.admit(copy.layout, STREAM, lambda: 2e9, lambda _: None)
    path = delivered(copy.layout, "f.json")
    path.rename(delivered(copy.layout, "a.json").parent / path.name)
    [line] = told(audit(copy))
    assert (
        f"{path.name}: lies in archivo, but no batch of a live generation has read it -> ./caudal restore"
        in line
    )


def test_a_file_whose_intake_was_cut_off_is_the_next_runs_business(copy: Settings) -> None:
    name = "000000000099-0123456789abcdef-cut.json"
    (copy.layout.en_proceso(STREAM.name) / name).write_text("{}\n")
    assert len(told(audit(copy))) == 1
    with ledger.writer(copy.layout.ledger(STREAM.name)) as db, ledger.transaction(db):
        ledger.insert(
            db,
            [
                ledger.Entry(
                    99, "0123456789abcdef" * 4, "cut.json", name, 3, 1, 0, 0, "2026-11-24T08:00:00+00:00"
                )
            ],
            finished=False,
        )
    assert told(audit(copy)) == []


def test_a_ledger_that_is_gone_is_no_home_without_files(copy: Settings) -> None:
    copy.layout.ledger(STREAM.name).unlink()
    with pytest.raises(LedgerDamaged, match="there is no ledger"):
        audit(copy)


def test_a_home_after_reset_rewind_and_purge_adds_up_and_says_what_it_could_not_read(
    spark: Any, tmp_path: Path
) -> None:
    home = Home.at(tmp_path, spark)
    for name, numbers in (("a.json", (1, 2)), ("b.json", (3,))):
        home.put(name, *numbers, bad=1)
        home.run()
    home.archive()
    home.apply(lambda: reset.plan(home.settings, home.stream, home.now))
    home.run()
    assert told(audit(home.settings)) == []
    home.put("c.json", 4)
    home.run()
    home.apply(lambda: rewind.plan(home.settings, home.stream, home.now, to_batch=0))
    assert told(audit(home.settings)) == []
    home.run()
    home.archive()
    home.now += timedelta(days=40)
    home.apply(lambda: purge.plan(home.settings, home.name, Upkeep(archive_days=30), home.now))
    found = audit(home.settings)
    assert told(found) == []
    assert found.counts["files purged"] == 3
    assert [
        word
        for word in ("generation 1 is retired", "3 delivered files are purged")
        if not any(word in line for line in found.unchecked)
    ] == []


def test_the_verbs_of_a_stream_that_never_ran_are_refused(tmp_path: Path, lived: Home) -> None:
    settings = caudal.load(lived.settings.environ | {"CAUDAL_HOME": str(tmp_path)})
    with pytest.raises(Refused, match="has not run yet"):
        audit(settings)


def test_what_a_housekeeping_verb_changed_meanwhile_is_no_finding(copy: Settings) -> None:
    def meddle(_: str) -> None:
        shutil.rmtree(copy.layout.output(STREAM.name, 1), ignore_errors=True)

    with pytest.raises(Refused, match="changed this stream while it was read"):
        audits.audit(copy, STREAM, None, meddle)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_csv_and_parquet_are_counted_by_a_plain_reader(spark: Any, tmp_path: Path, form: Any) -> None:
    stream = Stream("facturas_ficheros", Files("json", settle_s=0), Files(form), checks=STREAM.checks)
    home = Home.at(tmp_path, spark, stream)
    home.put("a.json", 1, 2, 3)
    home.run()
    assert (
        told(audit(home.settings, stream=stream)),
        audit(home.settings, stream=stream).counts["rows out"],
    ) == ([], 3)
    path = max(home.layout.batch(home.name, 1, 0).glob("part-*"), key=lambda p: p.stat().st_size)
    path.write_bytes(path.read_bytes()[:-5])
    [line] = told(audit(home.settings, stream=stream))
    assert f"part file {path}" in line


def test_the_verb_prints_a_line_for_each_difference_and_ends_with_1(
    lived: Home, copy: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(streams, "get", lambda name: {STREAM.name: STREAM}[name])
    monkeypatch.setattr(caudal, "load", lambda: lived.settings)
    assert verb.command(STREAM.name, as_json=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == f"{STREAM.name}: everything adds up"
    told = json.loads(lines[-1])
    assert (told["sound"], told["differences"], told["counts"]["rows out"]) == (True, [], 9)
    monkeypatch.setattr(caudal, "load", lambda: copy)
    cut(copy.layout)
    delivered_gone(copy.layout)
    assert verb.command(STREAM.name, since="2020-01-01T00:00", as_json=True) == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        next(line.partition(": ")[0] for line in lines if line.startswith("DIFFERENCE"))
        == "DIFFERENCE batch 0 of generation 1"
    )
    assert lines[-2] == f"{STREAM.name}: 2 differences"
    assert [sorted(one) for one in json.loads(lines[-1])["differences"]] == [["way", "what", "where"]] * 2


def test_a_date_that_is_none_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "get", lambda name: STREAM)
    with pytest.raises(UsageError, match="'yesterday' is not a date"):
        verb.command(STREAM.name, since="yesterday")
