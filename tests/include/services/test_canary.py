"""What a canary that died says of its death; a real one runs in tests/integration/test_airflow.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include import settings as caudal
from include.services import canary, records
from include.services.airflow.rest import Rest
from include.services.canary import _Try
from jobs.contract.errors import CaudalError, DiskFull, InstallationError, NoTaskRuns

NOBODY = Rest("http://127.0.0.1:1", "", "")
TRACE = """\
2026-11-30T21:58:21.573564Z [error    ] Workload execution failed.     \
[airflow.executors.local_executor.LocalExecutor] loc=local_executor.py:110
Traceback (most recent call last):
  File "/env/airflow/executors/local_executor.py", line 102, in _run_worker
    raise one of them
{last}
2026-11-30T21:58:21.627698Z [error    ] Executor LocalExecutor(parallelism=4) reported that the task \
instance finished with state failed
"""


THROWN = (
    "ValueError: Unknown scheme for proxy URL URL('socks://h:1')",
    "httpx.ConnectError: [Errno 111] Connection refused",
    "BlockingIOError: [Errno 11] Resource temporarily unavailable",
    "sqlite3.OperationalError: database or disk is full",
)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        *((TRACE.format(last=last), last) for last in THROWN),
        (
            "a [info ] fine\nb [error    ] no worker answers\nc [info ] 0 errors_total",
            "b [error    ] no worker answers",
        ),
        ("all is fine\nIn this release the ErrorHandler is new", ""),
        ("", ""),
    ],
)
def test_the_reason_is_the_end_of_the_newest_trace_else_the_newest_error(lines: str, reason: str) -> None:
    assert canary._reason(lines.splitlines()) == reason


def test_a_tasks_own_log_gives_its_exception_else_its_newest_error() -> None:
    thrown = {"exc_type": "AirflowFailException", "exc_value": "disk-full: x [/y] -> z"}
    lines = [
        {"event": "Task failed", "level": "error", "error_detail": [thrown]},
        {"event": "done", "level": "info"},
    ]
    assert canary._last_error(lines) == "AirflowFailException: disk-full: x [/y] -> z"
    assert canary._last_error([{"event": "killed", "level": "error"}, {"event": "::endgroup::"}]) == "killed"
    assert canary._last_error([{"event": "::group::"}]) == ""


def failure(home: Path, before: str, after: str, name: str = "airflow-scheduler") -> CaudalError:
    """Of a task without a log, when the service's log held `before` and then got `after`."""
    log = records.log_of(home, name)
    log.parent.mkdir(parents=True)
    log.write_text(before)
    settings = caudal.load({"CAUDAL_HOME": str(home)})
    one = _Try(settings, NOBODY, {path: canary._size(path) for path in canary._logs(settings)})
    with log.open("a") as stream:
        stream.write(after)
    return canary._failure(one, "a task fails", home / "attempt=1.log")


def test_without_a_log_the_services_say_why_but_only_what_they_wrote_meanwhile(tmp_path: Path) -> None:
    found = failure(
        tmp_path / "a", "OSError: of yesterday\n", TRACE.format(last="\x1b[31mValueError: of today\x1b[0m")
    )
    assert (type(found), found.what) == (NoTaskRuns, "a task fails and left no log: ValueError: of today")
    assert found.where.endswith("airflow-scheduler.log")
    assert failure(tmp_path / "b", "OSError: of yesterday\n", "").what == "a task fails, and no log says why"
    assert "airflow-dags.log" in failure(tmp_path / "c", "", "ImportError: no\n", "airflow-dags").where


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    found = failure(
        tmp_path, "", TRACE.format(last="OSError: [Errno 28] No space left on device: 'attempt=1.log'")
    )
    assert (type(found), int(found.exit_code)) == (DiskFull, 69)


def test_a_checkout_without_the_canary_is_not_whole(tmp_path: Path) -> None:
    settings = replace(caudal.load({"CAUDAL_HOME": str(tmp_path)}), root=tmp_path)
    with pytest.raises(InstallationError, match="the checkout is incomplete"):
        canary.run(settings, NOBODY)
