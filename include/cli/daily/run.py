"""run STREAM: one run from the command line, through the same launcher as Airflow's."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from include import settings, streams
from include.cli.terminal.console import json_line, say, step
from include.cli.terminal.progress import spinner_below
from include.launch import child, epilogue
from include.launch import run as launcher
from include.settings import Settings
from jobs.contract.errors import ExitCode
from jobs.contract.run.report import Report
from jobs.contract.stream import Stream


def command(
    stream: Annotated[str, typer.Argument(help="A registered stream; ./caudal status lists them.")],
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the run spec and the command; change nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The run report as one JSON object, last line.")
    ] = False,
    close_windows: Annotated[
        bool, typer.Option("--close-windows", help="Publish the windows that are open when the run ends.")
    ] = False,
) -> int:
    """Run STREAM once over what is waiting. Safe at any time: a second run finds nothing, a held lease is
    exit 75."""
    config = settings.load()
    row = streams.get(stream)
    if plan:
        return _preview(config, row, close_windows, as_json)
    code, report = _launch(config, row.name, close_windows)
    with step(f"archiving what {row.name} has read", aside=True):
        ended_well = code == ExitCode.DONE
        after = (
            epilogue.conclude(config, row, report, datetime.now(UTC)) if ended_well else epilogue.Epilogue()
        )
    for line in after.lines():
        say(f"{row.name}: {line}")
    if as_json:
        missing = {"stream": row.name, "exit_code": code, "status": "not started"}
        json_line({**(asdict(report) if report else missing), **after.values()})
    if after.error:
        raise after.error
    return code


def _preview(config: Settings, row: Stream, close_windows: bool, as_json: bool) -> int:
    plan, built = launcher.preview(config, row, config.master, datetime.now(UTC), close_windows)
    if as_json:
        json_line({"spec": asdict(plan.spec), "waiting": asdict(plan.waiting), "argv": list(built.argv)})
    else:
        print(json.dumps(asdict(plan.spec), indent=1, ensure_ascii=False))
        say(" ".join(built.argv))
        say(f"waiting: {plan.waiting}; files still in entrada are not counted")
    return 0


def _launch(config: Settings, stream: str, close_windows: bool) -> tuple[int, Report | None]:
    words = ["--master", config.master, f"jobs/{stream}.py", "--stream", stream]
    words += ["--close-windows", "yes"] if close_windows else []
    with spinner_below(f"run of {stream}", child.write) as write:
        return child.run(config, words, stream, write)
