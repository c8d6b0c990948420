"""One run of one stream: SparkSubmitOperator that hands over a stream name and Airflow's run id, and nothing more."""

from __future__ import annotations

import os
import re
import select
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowTaskTimeout,
)

from include import settings
from include.account import places
from include.airflow_kit import assets, failures, reports
from include.airflow_kit.params import refuse_unknown_keys
from include.housekeeping.files import after_run
from include.launch import ended
from jobs.contract.disk.processes import die_with_parent
from jobs.contract.errors import ConfigError, ExitCode, LeaseHeld, RunFailed, UsageError
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream

LAUNCHER = settings.ROOT / "include" / "launch" / "launcher"
LEASE_POLL_S = 15  # a run takes seconds; the scheduler itself looks every few seconds
_END_S = 30.0  # a killed launcher is gone at once, unless its disk hangs
_RUN_ID = re.compile(
    r"[A-Za-z0-9_.~:+][A-Za-z0-9_.~:+-]{0,249}"
)  # Airflow's own pattern, but never an option
_ERROR_LINE = re.compile(r"([a-z][a-z-]+): .* -> ")  # jobs.contract.errors.CaudalError.__str__


class StreamOperator(SparkSubmitOperator):
    """Runs `stream` through the launcher, then archives what is committed; returns the run's report (plain values) with `archive`, what
    was archived, and `files`, where they are, which is also the extra of the output's asset event.

    Held lease: rescheduled without using up a try, until `stream.lease_wait_s` after this try first met it.
    Fails without a retry when the same call would fail again. `spark_binary`: the launcher.
    """

    template_fields: Sequence[
        str
    ] = ()  # nothing a user types at the trigger reaches the command line through a template
    reschedule = True  # Airflow's scheduler asks for it before it lets a rescheduled task wait

    def __init__(self, *, stream: Stream, spark_binary: str = str(LAUNCHER), **kwargs: Any) -> None:
        super().__init__(
            application=str(settings.ROOT / "jobs" / f"{stream.name}.py"),
            name=stream.name,
            spark_binary=spark_binary,
            inlets=[assets.source(stream)],
            outlets=[assets.output(stream)],
            **kwargs,
        )
        self.stream = stream
        self._stopped = False

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        with failures.one_line():
            refuse_unknown_keys(context)
            _die_with_supervisor()
            self.application_args = [
                "--stream",
                self.stream.name,
                "--airflow-run-id",
                checked_run_id(context["run_id"]),
            ]
            runs = settings.load().layout.runs(self.stream.name)
            before = reports.run_names(runs)
            try:
                exit_code = self._submit(context)
            except RunFailed as late:
                self._found(runs, before, context["run_id"], -signal.SIGKILL, late)
                raise
            found = self._found(runs, before, context["run_id"], exit_code)
        if exit_code == ExitCode.HELD:
            self._wait_for_lease(context)
        if exit_code != ExitCode.DONE or found is None or found.status not in ("done", "idle"):
            raise self._failure(exit_code, found)
        tidied = after_run.tidy(settings.load(), self.stream, datetime.now(UTC))
        placed = places.check(settings.load(), self.stream, found)
        values = self._publish(found, tidied, placed, context)
        if error := tidied.error or placed.error:
            raise failures.airflow_error(failures.line(error.to_json()), error.code, int(error.exit_code))
        return values

    def on_kill(self) -> None:
        """Kills the launcher, which by then is the JVM; the Python driver dies with it."""
        self._stopped = True
        if self._hook is not None:
            self._hook.on_kill()

    def _found(
        self,
        runs: Path,
        before: frozenset[str],
        airflow_run_id: str,
        exit_code: int,
        why: RunFailed | None = None,
    ) -> Report | None:
        """The report of this try; one that its driver left at `running` is finished first."""
        found = reports.find(runs, before, airflow_run_id)
        if found is None or found.status != "running":
            return found
        lines = list(self._hook._last_submit_log_lines) if self._hook else []
        return (
            ended.finish(
                settings.load().layout, self.stream.name, ended.End(found.run_id, exit_code, lines, why)
            )
            or found
        )

    def _submit(self, context: Mapping[str, Any]) -> int:
        """Exit code of the launcher; negative when a signal ended it. Raises RunFailed after `limits.run_s`."""
        try:
            super().execute(context)
        except AirflowTaskTimeout:
            self.on_kill()
            self._hook._submit_sp.wait(_END_S)
            what = f"stopped after limits.run_s={self.stream.limits.run_s} s; what was published stays, the next run goes on from there"
            raise RunFailed(what, self.stream.name) from None
        except AirflowException:
            process = self._hook._submit_sp
            if process is None or not process.returncode:
                raise  # not the launcher's end: the provider itself
            return int(process.returncode)
        return int(ExitCode.DONE)

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        if hook._is_yarn:
            raise ConfigError(
                f"the connection {self._conn_id} is missing, so Spark's master would be yarn",
                "Airflow connections",
            )
        if hook._connection["deploy_mode"] == "cluster":
            raise ConfigError(
                f"the connection {self._conn_id} asks for cluster mode, in which no driver can hold the lease",
                "Airflow connections",
            )
        return hook

    def _wait_for_lease(self, context: Mapping[str, Any]) -> None:
        now = datetime.now(UTC)
        first = context["ti"].get_first_reschedule_date(context) or context["ti"].start_date
        left_s = self.stream.lease_wait_s - (now - first).total_seconds()
        if left_s <= 0:
            what = f"still held after lease_wait_s={self.stream.lease_wait_s} s: {_told(self._last_line())}"
            error = LeaseHeld(
                what,
                self.stream.name,
                ui="Clear this task when the run named here has ended; the next scheduled run tries by itself",
            )
            raise AirflowFailException(failures.line(error.to_json()))
        self.log.info("The lease is held; this task waits without a slot, for %.0f s more at most", left_s)
        raise AirflowRescheduleException(now + timedelta(seconds=min(LEASE_POLL_S, left_s)))

    def _failure(self, exit_code: int, found: Report | None) -> AirflowException:
        """The report's error; without one, what is known of the end."""
        if found is not None and found.error:
            asked = " (Airflow asked for its end: marked, cleared or shut down)" if self._stopped else ""
            text, code = failures.line(found.error) + asked, str(found.error["code"])
        elif found is not None:
            error = self._silent_end(exit_code, found)
            text, code = failures.line(error.to_json()), error.code
        else:
            text, code = self._unreported(exit_code)
        self.log.error("%s", text)
        return failures.airflow_error(text, code, exit_code)

    def _silent_end(self, exit_code: int, found: Report) -> RunFailed:
        end = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
        folder = settings.load().layout.run(self.stream.name, found.run_id)
        return RunFailed(f"the run {end}; its report still says {found.status!r}", folder / "driver.log")

    def _unreported(self, exit_code: int) -> tuple[str, str]:
        """(line, code) of a launcher that gave up before it had a report: its own last line, which has the form of an error."""
        last = self._last_line()
        code = match[1] if (match := _ERROR_LINE.match(last)) else ""
        text = (
            last
            if code
            else f"the launcher ended with exit code {exit_code} and left no report of this run; it said: {last}"
        )
        return text, code

    def _last_line(self) -> str:
        """The last line that the launcher printed, without the program's name before it."""
        lines = [text for text in self._hook._last_submit_log_lines if text] if self._hook else []
        return lines[-1].removeprefix("caudal: ") if lines else "nothing"

    def _publish(
        self, found: Report, tidied: after_run.Tidied, placed: places.Places, context: Mapping[str, Any]
    ) -> dict[str, Any]:
        for text in (*reports.summary(found), *(f"  {line}" for line in (*tidied.lines(), *placed.lines()))):
            self.log.info("%s", text)
        values = {**reports.plain(found), "archive": tidied.to_json(), "files": placed.to_json()}
        context["outlet_events"][self.outlets[0]].extra = values
        return values


def checked_run_id(run_id: str) -> str:
    """Airflow's run id, when it is safe as a word of a command line. Raises UsageError."""
    if not _RUN_ID.fullmatch(run_id):
        raise UsageError(
            f"the run id {run_id[:80]!r} holds a character outside A-Z a-z 0-9 _ . ~ : + - or begins with -",
            "dag_run_id",
        )
    return run_id


def _die_with_supervisor() -> None:
    """Kill -9 of the supervisor alone would leave this task, and a silent driver with it, running to its end.

    Raises RunFailed when it died before the kernel was told: a task's stdin is its socket to the supervisor. (Its pid would not tell: in a
    container the supervisor may be process 1.)
    """
    die_with_parent(os.getppid())
    poll = select.poll()
    poll.register(0, 0)
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
        raise RunFailed(
            "the supervisor of this task is gone, so nobody would notice its end; nothing was started",
            f"pid {os.getpid()}",
        )


def _told(line: str) -> str:
    """What an error's line tells, without its code and its way out."""
    return line.partition(": ")[2].partition(" -> ")[0] or line
