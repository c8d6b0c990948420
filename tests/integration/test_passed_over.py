"""No admitted file is passed over: it gets a name that Spark lists.

If Spark leaves a file out all the same, run, audit and doctor name it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include import intake, streams
from include.account.audit import examine as audits
from include.doctor import streams as doctor
from include.samples import facturas
from include.torture.runs import multiset
from jobs.contract.run.report import Report
from jobs.core import run as driver
from tests.integration import here

pytestmark = pytest.mark.spark
STREAM = streams.get("facturas_ficheros")
LONG_AGO_S = -1_700_000_000  # 1916: over Spark's maxFileAge of a hundred years before the newest file


@pytest.fixture
def home(spark: Any, tmp_path: Path) -> here.Home:
    return here.Home.on(spark, tmp_path, STREAM.name)


def deliver(home: here.Home, name: str, seed: int) -> Counter[str]:
    """Puts a settled file of ten invoices. Returns the rows that must come out of it."""
    sample = facturas.generate(10, seed=seed, start_ms=1_700_000_000_000)
    home.put(name, sample.documents)
    return multiset(sample.expected_lines())


def admit(home: here.Home) -> list[Path]:
    """Intake alone, as in a run that is killed right after it. Returns the files it admitted."""
    taken = intake.admit(home.settings.layout, STREAM, time.time, time.sleep)
    return [home.settings.layout.en_proceso(STREAM.folder) / entry.name for entry in taken.admitted]


def found(home: here.Home) -> tuple[list[str], list[str]]:
    """(differences that the audit finds, faults that doctor finds)."""
    differences = audits.audit(home.settings, STREAM, None, lambda _: None).differences
    return [str(one) for one in differences], [
        one.what for one in doctor.examine(home.settings.layout, STREAM) if one.state == "wrong"
    ]


def as_of_old(home: here.Home, path: Path) -> Path:
    """Renames an admitted file as versions before December 2026 did: to a name that Spark skips."""
    old = path.with_name(f"{path.name}._COPYING_")
    path.rename(old)
    with closing(sqlite3.connect(home.settings.layout.ledger(STREAM.folder))) as db, db:
        db.execute("UPDATE entry SET name = ? WHERE name = ?", (old.name, path.name))
    return old


def say_done(home: here.Home) -> None:
    """Writes the report of a run by such a version: done, although Spark skipped a file."""
    folder = home.settings.layout.run(STREAM.name, "29990101T000000000Z-00000001")
    folder.mkdir(parents=True)
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 2))
    (folder / "report.json").write_bytes(
        Report(STREAM.name, folder.name, "done", now, generation=1).to_json()
    )


def test_whatever_a_delivery_is_called_its_rows_come_out_once(home: here.Home) -> None:
    names = [
        "a.json_",
        "b.",
        "c-",
        "d=1",
        "e._COPYING_x",
        "_metadata=.json",
        "f.json._COPYING_",
        "g.json.gz._COPYING_",
        "h.json:Zone.Identifier",
    ]
    claims = home.settings.layout.claims(STREAM.folder)
    claims.mkdir(parents=True)
    expected: Counter[str] = Counter()
    for seed, name in enumerate(names):
        rows = deliver(home, name, seed)
        expected += rows if name[0] != "_" and "Zone" not in name else Counter()
        # such a file in entrada is still being copied; an earlier version claimed it, so it is a delivery
        if name.endswith("._COPYING_"):
            (home.settings.layout.entrada(STREAM.folder) / name).rename(claims / name)
    code, out = home.run()
    assert code == 0, out
    assert home.rows() == expected
    assert [path.name for path in home.settings.layout.entrada(STREAM.folder).iterdir()] == [
        "_metadata=.json"
    ]
    assert "refused h.json:Zone.Identifier: sidecar: " in out
    assert found(home) == ([], [])
    assert home.run()[0] == 0
    assert home.report().status == "idle"


def test_a_home_with_a_file_that_earlier_versions_left_behind_names_it_and_the_next_run_reads_it(
    home: here.Home,
) -> None:
    expected = deliver(home, "first.json", 1)
    assert home.run()[0] == 0
    expected += deliver(home, "lote.json", 2)
    old = as_of_old(home, admit(home)[0])
    assert found(home) == ([], []), (
        "a run that was killed after its intake is no fault before the next has ended"
    )
    say_done(home)
    (difference,), (line,) = found(home)
    assert (
        str(old) in difference
        and "no batch has read it -> ./caudal run facturas_ficheros gives it a name" in difference
    )
    assert old.name in line
    code, out = home.run()
    assert code == 0, out
    assert home.rows() == expected
    assert found(home) == ([], [])
    assert not old.exists()


def test_a_file_that_spark_leaves_out_fails_each_run_by_name_until_it_is_read(home: here.Home) -> None:
    expected = deliver(home, "first.json", 1)
    assert home.run()[0] == 0
    skipped = deliver(home, "lote.json", 2)
    (path,) = admit(home)
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    expected += deliver(home, "last.json", 3)
    for _ in range(2):  # the second finds nothing else: it is not idle
        code, out = home.run()
        assert (
            code,
            out.splitlines()[-1].startswith("file-passed-over: admitted, but Spark has not listed it"),
        ) == (65, True), out
        assert f"[{path}] -> touch the file named here, then ./caudal run facturas_ficheros" in out
        assert home.rows() == expected
        done = home.report()
        assert (done.status, done.exit_code, (done.error or {})["code"]) == ("failed", 65, "file-passed-over")
        (difference,), lines = found(home)
        assert str(path) in difference and "no batch has read it -> touch the file" in difference
        assert any(path.name in line and "no batch has read it" in line for line in lines)
    os.utime(path)
    assert home.run()[0] == 0
    assert home.rows() == expected + skipped
    assert found(home) == ([], [])


def test_every_file_of_a_run_is_read_by_that_run_however_many_batches_it_takes(
    home: here.Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = deliver(home, "0.json", 0)
    for seed in range(1, 12):
        expected += deliver(home, f"{seed}.json", seed)
    files = driver.sources._files
    limits = replace(STREAM.limits, batch_bytes=20_000)
    monkeypatch.setattr(
        driver.sources,
        "_files",
        lambda spark, spec: files(spark, replace(spec, stream=replace(spec.stream, limits=limits))),
    )
    code, out = home.run()
    assert code == 0, out
    assert home.rows() == expected
    assert len(home.report().batches) > 3
