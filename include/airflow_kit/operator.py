"""One run of one stream: a SparkSubmitOperator that passes a stream's name and Airflow's run id to the
launcher, and nothing more."""

from __future__ import annotations

import os
import re
import select
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
from include.airflow_kit import assets, failures, reports
from include.airflow_kit.params import refuse_unknown_keys
from include.launch import epilogue
from include.launch.ended import End
from include.launch.epilogue import Epilogue
from jobs.contract.disk.processes import die_with_parent
from jobs.contract.errors import ConfigError, ExitCode, LeaseHeld, RunFailed, UsageError
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream

LAUNCHER = settings.ROOT / "include" / "launch" / "launcher"
LEASE_POLL_S = 15  # a run takes seconds; the scheduler itself looks every few seconds
_END_S = 30.0  # a killed launcher is gone at once, unless its disk hangs
# Airflow's own pattern, but without a leading "-": the launcher would read such an id as an option
_RUN_ID = re.compile(r"[A-Za-z0-9_.~:+][A-Za-z0-9_.~:+-]{0,249}")
# the form of jobs.contract.errors.CaudalError.__str__
_ERROR_LINE = re.compile(r"([a-z][a-z-]+): .* -> ")


class StreamOperator(SparkSubmitOperator):
    """Runs `stream` through the launcher, then archives what is committed. Returns the run's report as plain
    values, with `archive` (what was archived) and `files` (where they are); the output's asset event has the
    same values.

    A held lease: the task is rescheduled, without using up a try, until `stream.lease_wait_s` after this try
    first met it. Fails without a retry when the same call would fail again. `spark_binary`: the launcher.
    """

    # empty, so that nothing a user types at the trigger reaches the command line through a template
    template_fields: Sequence[str] = ()
    reschedule = True  # Airflow's scheduler checks this before it lets a rescheduled task wait

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
            airflow_run_id = checked_run_id(context["run_id"])
            self.application_args = ["--stream", self.stream.name, "--airflow-run-id", airflow_run_id]
            before = epilogue.run_names(settings.load().layout.runs(self.stream.name))
            try:
                exit_code = self._submit(context)
            except RunFailed as late:
                self._report(before, airflow_run_id, -signal.SIGKILL, late)
                raise
            report = self._report(before, airflow_run_id, exit_code)
        if exit_code == ExitCode.HELD:
            self._wait_for_lease(context)
        if exit_code != ExitCode.DONE or report is None or report.status not in ("done", "idle"):
            raise self._failure(exit_code, report)
        after = epilogue.conclude(settings.load(), self.stream, report, datetime.now(UTC))
        values = self._publish(report, after, context)
        if error := after.error:
            raise failures.airflow_error(failures.line(error.to_json()), error.code, int(error.exit_code))
        return values

    def on_kill(self) -> None:
        """Kills the launcher, which has become the JVM by then; the Python driver dies with it."""
        self._stopped = True
        if self._hook is not None:
            self._hook.on_kill()

    def _report(
        self, before: frozenset[str], airflow_run_id: str, exit_code: int, why: RunFailed | None = None
    ) -> Report | None:
        """The report of this try; if its driver died and left it at `running`, it is finished first."""
        # the hook has no public name for the last lines, nor for the process (_submit_sp)
        lines = list(self._hook._last_submit_log_lines) if self._hook else []
        end = End(exit_code, lines, why)
        layout = settings.load().layout
        return epilogue.final_report(layout, self.stream.name, before, airflow_run_id, end)

    def _submit(self, context: Mapping[str, Any]) -> int:
        """The launcher's exit code, negative for a signal. Raises RunFailed after `limits.run_s`."""
        try:
            super().execute(context)
        except AirflowTaskTimeout:
            self.on_kill()
            self._hook._submit_sp.wait(_END_S)
            limit = f"stopped after limits.run_s={self.stream.limits.run_s} s"
            what = f"{limit}; what was published stays, the next run goes on from there"
            raise RunFailed(what, self.stream.name) from None
        except AirflowException:
            process = self._hook._submit_sp
            if process is None or not process.returncode:
                raise  # the launcher has not failed: the provider itself has
            return int(process.returncode)
        return int(ExitCode.DONE)

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        missing = f"the connection {self._conn_id} is missing, so Spark's master would be yarn"
        cluster = (
            f"the connection {self._conn_id} asks for cluster mode, in which no driver can hold the lease"
        )
        if hook._is_yarn:
            raise ConfigError(missing, "Airflow connections")
        if hook._connection["deploy_mode"] == "cluster":
            raise ConfigError(cluster, "Airflow connections")
        return hook

    def _wait_for_lease(self, context: Mapping[str, Any]) -> None:
        now = datetime.now(UTC)
        first = context["ti"].get_first_reschedule_date(context) or context["ti"].start_date
        left_s = self.stream.lease_wait_s - (now - first).total_seconds()
        if left_s <= 0:
            what = f"still held after lease_wait_s={self.stream.lease_wait_s} s: {_what(self._last_line())}"
            way = "Clear this task when the run named here has ended; the next scheduled run tries by itself"
            error = LeaseHeld(what, self.stream.name, ui=way)
            raise AirflowFailException(failures.line(error.to_json()))
        self.log.info("The lease is held; this task waits without a slot, for %.0f s more at most", left_s)
        raise AirflowRescheduleException(now + timedelta(seconds=min(LEASE_POLL_S, left_s)))

    def _failure(self, exit_code: int, report: Report | None) -> AirflowException:
        """The report's error; without one, what is known of how the run ended."""
        if report is not None and report.error:
            asked = " (Airflow asked for its end: marked, cleared or shut down)" if self._stopped else ""
            text, code = failures.line(report.error) + asked, str(report.error["code"])
        elif report is not None:
            error = self._silent_end(exit_code, report)
            text, code = failures.line(error.to_json()), error.code
        else:
            text, code = self._unreported(exit_code)
        self.log.error("%s", text)
        return failures.airflow_error(text, code, exit_code)

    def _silent_end(self, exit_code: int, report: Report) -> RunFailed:
        end = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
        log = settings.load().layout.run(self.stream.name, report.run_id) / "driver.log"
        return RunFailed(f"the run {end}; its report still says {report.status!r}", log)

    def _unreported(self, exit_code: int) -> tuple[str, str]:
        """(line, code) for a launcher that gave up before it wrote a report. Its own last line is an error's,
        if it printed one."""
        last = self._last_line()
        if match := _ERROR_LINE.match(last):
            return last, match[1]
        end = f"the launcher ended with exit code {exit_code} and left no report of this run"
        return f"{end}; it said: {last}", ""

    def _last_line(self) -> str:
        """The last line that the launcher printed, without the program's name before it."""
        lines = [text for text in self._hook._last_submit_log_lines if text] if self._hook else []
        return lines[-1].removeprefix("caudal: ") if lines else "nothing"

    def _publish(self, report: Report, after: Epilogue, context: Mapping[str, Any]) -> dict[str, Any]:
        for text in (*reports.summary(report), *(f"  {line}" for line in after.lines())):
            self.log.info("%s", text)
        values = {**reports.plain(report), **after.values()}
        context["outlet_events"][self.outlets[0]].extra = values
        return values


def checked_run_id(run_id: str) -> str:
    """Airflow's run id, if it is safe as a word of a command line. Raises UsageError."""
    if not _RUN_ID.fullmatch(run_id):
        what = (
            f"the run id {run_id[:80]!r} holds a character outside A-Z a-z 0-9 _ . ~ : + - or begins with -"
        )
        raise UsageError(what, "dag_run_id")
    return run_id


def _die_with_supervisor() -> None:
    """Lets the kernel end this task when its supervisor dies. Otherwise a kill -9 of the supervisor alone
    would leave the task, and a silent driver with it, running to the end.

    Raises RunFailed when the supervisor died before the kernel knew: a task's stdin is its socket to the
    supervisor. (The parent's pid does not show it: in a container the supervisor may be process 1.)
    """
    die_with_parent(os.getppid())
    poll = select.poll()
    poll.register(0, 0)
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
        what = "the supervisor of this task is gone, so nobody would notice its end; nothing was started"
        raise RunFailed(what, f"pid {os.getpid()}")


def _what(line: str) -> str:
    """The `what` of an error's line, without its code and what to do."""
    return line.partition(": ")[2].partition(" -> ")[0] or line
