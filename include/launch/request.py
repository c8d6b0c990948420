"""Parses the launcher's arguments: a stream's name and Airflow's run id, in a spark-submit command as
SparkSubmitOperator writes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.contract.errors import UsageError

_MASTER = re.compile(r"local(\[[0-9*]+(,[0-9]+)?\])?|spark://[A-Za-z0-9.,:_-]+")
_AIRFLOW_RUN = re.compile(r"[A-Za-z0-9_.~:+][A-Za-z0-9_.~:+-]{0,249}")


@dataclass(frozen=True)
class Request:
    stream: str
    airflow_run_id: str
    master: str
    close_windows: bool = False


def parse(argv: Sequence[str]) -> Request:
    """`[--master M] [--name N] [--deploy-mode client] APPLICATION --stream S [--airflow-run-id R]
    [--close-windows yes]`

    Everything else is refused: only the launcher sets Spark's configuration, so nothing typed at a trigger
    can reach it. Raises UsageError.
    """
    words = list(argv)
    options = _take_options(words, {"--master", "--name", "--deploy-mode"})
    if not words:
        raise UsageError("no application given", "launcher")
    application = words.pop(0)
    ours = _take_options(words, {"--stream", "--airflow-run-id", "--close-windows"})
    if words or application.startswith("-"):
        unknown = application if application.startswith("-") else words[0]
        raise UsageError(f"the launcher takes no option {unknown!r}", "launcher")
    if options.get("--deploy-mode", "client") != "client":
        raise UsageError(
            "only client mode: in cluster mode no process here could hold the lease", application
        )
    run_id, master = _checked(ours.get("--airflow-run-id", "")), _master(options.get("--master", "local[2]"))
    return Request(_required(ours, "--stream"), run_id, master, _yes_or_no(ours.get("--close-windows", "no")))


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise UsageError(f"--close-windows takes yes or no, not {text!r}", "launcher")
    return text == "yes"


def _take_options(words: list[str], known: set[str]) -> dict[str, str]:
    taken: dict[str, str] = {}
    while len(words) >= 2 and words[0] in known:
        taken[words[0]] = words[1]
        del words[:2]
    return taken


def _required(options: dict[str, str], option: str) -> str:
    if option not in options:
        raise UsageError(f"{option} is missing", "launcher")
    return options[option]


def _master(text: str) -> str:
    if not _MASTER.fullmatch(text):
        where = "CAUDAL_MASTER, or Airflow's connection spark_default"
        raise UsageError(
            f"unknown master {text!r} (local[N], spark://host:port)", where, cli="name one of these"
        )
    return text


def _checked(run_id: str) -> str:
    if run_id and not _AIRFLOW_RUN.fullmatch(run_id):
        raise UsageError(
            "Airflow's run id has a character that Airflow itself does not allow", "--airflow-run-id"
        )
    return run_id
