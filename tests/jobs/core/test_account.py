"""The account at a run's end, on real batches: what adds up, and a run that fails by name when something
changed between rename and end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobs.contract.commit import manifest
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import ExitCode
from jobs.contract.run import account, report
from jobs.contract.run.report import Report
from jobs.contract.run.spec import RunSpec
from jobs.contract.stream import Files, Stream
from jobs.core import run

pytestmark = pytest.mark.spark
GOOD = (
    '{"InvoiceNumber": "%d", "CreatedTime": 1, "TotalAmount": 1.0, "InvoiceLineItems": [{"ItemCode": "a"}, '
    '{"ItemCode": "b"}]}\n'
)
LINES = GOOD % 1 + GOOD % 2 + '{"broken\n'


@pytest.fixture
def execute(home: Any, spark: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[ExitCode, Report]]:
    """One whole run of the driver on the shared session; `meddle` is called between the last rename and the
    end."""

    @contextmanager
    def shared(_: str) -> Iterator[Any]:
        yield spark

    def one(meddle: Callable[[], object] = lambda: None, through: int = -1) -> tuple[ExitCode, Report]:
        home.runs += 1
        spec = RunSpec(
            home.stream, f"r{home.runs}", "", "2026-11-23T20:00:00+00:00", str(home.path), 1, "", through
        )
        folder = home.layout.run(home.stream.name, spec.run_id)
        folder.mkdir(parents=True)
        real = run.stream

        def then(*words: Any) -> dict[str, Any]:
            query = real(*words)
            meddle()
            return query

        with monkeypatch.context() as patch:
            patch.setattr(run.session, "opened", shared)
            patch.setattr(
                run.processes, "wait_lock", lambda *_: 0
            )  # held until a driver's process ends, and this one goes on
            patch.setattr(run, "stream", then)
            code = run.execute(spec, home.subject, home.transform)
        found = report.read(folder / "report.json")
        assert found is not None
        return code, found

    return one


def test_two_runs_that_add_up_say_so_and_the_second_reads_nothing_of_the_first(
    home: Any, execute: Any
) -> None:
    home.put("a.json", LINES)
    code, first = execute()
    assert code == ExitCode.DONE
    assert {k: v for k, v in first.account.items() if k not in ("took_s", "bytes_read")} == {
        "files": 1,
        "counted": 3,
        "headers": 0,
        "gaps": {},
        "records_in": 3,
        "accepted": 2,
        "quarantined": 1,
        "rows_out": 4,
        "rows_read": 4,
        "unchecked": [],
        "differences": [],
    }
    shutil.rmtree(home.layout.batch(home.stream.name, 1, 0))  # history is the audit's business
    home.layout.batch(home.stream.name, 1, 0).mkdir()
    home.put("b.json", GOOD % 3)
    code, second = execute(through=0)
    assert (code, second.batches, second.account["counted"], second.account["rows_read"]) == (
        ExitCode.DONE,
        (1,),
        1,
        2,
    )


def cut(home: Any) -> None:
    path = next(p for p in home.layout.batch(home.stream.name, 1, 0).glob("part-*") if p.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1])


def remove_part(home: Any) -> None:
    next(p for p in home.layout.batch(home.stream.name, 1, 0).glob("part-*") if p.stat().st_size).unlink()


def records(home: Any) -> None:
    path = home.layout.batch(home.stream.name, 1, 0) / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "records_in": 4}))


def quarantine(home: Any) -> None:
    shutil.rmtree(home.layout.refused_records(home.stream.name, 1, 0))


def batch(home: Any) -> None:
    shutil.rmtree(home.layout.batch(home.stream.name, 1, 0))


DAMAGES = {
    cut: "batch 0: 4 rows out, 4 in its manifest's files, a plain reader counts 3",
    remove_part: "batch 0: 4 rows out, 4 in its manifest's files, a plain reader counts",
    records: "batch 0: 3 lines were counted at intake, its manifest has 4 records in",
    quarantine: "batch 0: 1 records quarantined, 0 lie in",
    batch: "batch 0 is committed, but its folder is gone",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_a_run_that_does_not_add_up_fails_by_name(
    home: Any, execute: Any, capsys: pytest.CaptureFixture[str], damage: Callable[[Any], None]
) -> None:
    home.put("a.json", LINES)
    code, found = execute(lambda: damage(home))
    assert (code, found.status, found.exit_code) == (ExitCode.DATA, "failed", 65)
    assert found.error is not None
    assert found.error["code"] == "account-mismatch"
    assert found.error["cli"].startswith(f"./caudal audit {home.stream.name} ")
    assert found.error["what"].startswith(DAMAGES[damage])
    assert f"caudal: account-mismatch: {DAMAGES[damage]}" in capsys.readouterr().out
    assert found.account["differences"]


def test_csv_headers_are_lines_but_no_records(home: Any, execute: Any) -> None:
    from pyspark.sql import types as T

    home.stream = Stream("facturas_ficheros", Files("csv", settle_s=0), Files("csv"))
    home.subject = type(home.subject)(
        T.StructType([T.StructField("a", T.StringType()), T.StructField("b", T.LongType())]), {}
    )
    home.transform = lambda frame: frame
    home.put("a.csv", 'a,b\n"x\n,1\ny,2\n')
    code, found = execute()
    assert code == ExitCode.DONE
    told = {k: found.account[k] for k in ("counted", "headers", "records_in", "quarantined", "rows_read")}
    assert told == {"counted": 4, "headers": 1, "records_in": 3, "quarantined": 1, "rows_read": 2}


def test_an_account_of_a_failed_run_is_a_warning_beside_its_error(home: Any, tmp_path: Path) -> None:
    home.put("a.json", LINES)
    home.run()
    cut(home)
    failed = Report(
        home.stream.name,
        "r1",
        "failed",
        "2026-11-23T20:00:00+00:00",
        generation=1,
        error={"code": "service"},
        exit_code=69,
    )
    ended = report.with_published(failed, home.layout.output(home.stream.name, 1))
    found = account.settle(ended, home.layout, home.stream, -1, lambda _: 0)
    assert (found.exit_code, found.error) == (69, {"code": "service"})
    assert found.warnings[0].startswith("account-mismatch: batch 0: ")


def test_manifests_made_before_lines_were_recounted_still_load_and_are_told_as_unchecked(home: Any) -> None:
    home.put("a.json", LINES)
    home.run()
    path = home.layout.batch(home.stream.name, 1, 0) / MANIFEST
    path.write_text(
        json.dumps(
            {k: v for k, v in json.loads(path.read_text()).items() if k not in ("headers", "partitions")}
        )
    )
    assert (manifest.read(path.parent).headers, dict(manifest.read(path.parent).partitions)) == (-1, {})
    found = account.recount(home.layout, home.stream, 1, [0], lambda _: 0)
    assert (found.differences, found.unchecked) == (
        [],
        ["batch 0: its manifest is older than the count of header lines"],
    )


def test_an_old_report_without_an_account_loads() -> None:
    old = json.loads(Report("s", "r", "done", "2026-11-23T20:00:00+00:00").to_json())
    del old["account"]
    assert Report.from_json(json.dumps(old).encode()).account == {}
