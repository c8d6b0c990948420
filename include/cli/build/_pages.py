"""The generated pages of docs/. They are rendered from the code, so they never name what no longer exists.
`plan` reads, `apply` writes what differs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from include.labs import combination_page
from jobs.contract import errors
from jobs.contract.disk import storage
from jobs.contract.errors import CaudalError, ConfigError, ExitCode

MEANINGS = {
    ExitCode.DONE: "done, also when there was nothing to do",
    ExitCode.FAILED: (
        "a check (`doctor`, `audit`, `test`, `docs --check`, the totals of `demo`) found something wrong,"
        " or `where` found nothing"
    ),
    ExitCode.USAGE: "the call is wrong, or refused because it would be wrong now",
    ExitCode.DATA: "data, or its bookkeeping on disk, is not what it must be",
    ExitCode.SERVICE: "a service is missing: broker, topic, Airflow, disk space, network",
    ExitCode.BUG: "not foreseen, or what must never happen",
    ExitCode.HELD: "another run of the stream holds the lease; try again",
    ExitCode.CONFIG: "a setting, a registry row or the installation is wrong",
}
_OUTSIDE = {
    129: "the terminal was closed (SIGHUP) while a run was under way",
    130: "interrupted (Ctrl-C)",
    141: "the reader of the output went away",
    143: "ended by SIGTERM (a time limit, a shutdown) while a run was under way",
}
_ERRORS_HEAD = """\
# Errors

Made by `./caudal docs` from the error tree (`jobs/contract/errors.py`); a test compares.

An error is one line: `code: what happened [where] -> what to do`. `./caudal --debug VERB` adds the trace.
The advice in the line is more exact than the general advice on this page.
"""
# a process of its own: dag_docs imports Airflow, which takes seconds, and only airflow_kit may
_DAGS = "from include.airflow_kit.dag_docs import render; print(render(), end='')"
# processes of their own: in this one only some verbs may be registered
_VERBS = "from include.cli import __main__ as front; front.collect(); "
_HELP = f"{_VERBS}from include.cli.terminal import help; print(help.render(front.app), end='')"
_CLI = f"{_VERBS}from include.cli.build import _reference; print(_reference.render(front.app), end='')"
_TIMEOUT_S = 300.0  # 5 s on two free cores


@dataclass(frozen=True)
class Page:
    """`path` is relative to the checkout; `text` is what the file should hold, `found` what it holds now
    (None: no such file)."""

    path: Path
    text: str
    found: str | None

    @property
    def differs(self) -> bool:
        return self.text != self.found


def plan(root: Path) -> tuple[Page, ...]:
    """Renders every generated page and compares it. Read-only. Raises ConfigError if a DAG file does not
    load."""
    made = {
        Path("docs/errors.md"): errors_page(),
        Path("docs/DAGS.md"): dags_page(root),
        Path("docs/combinations.md"): combination_page.render(),
        Path("docs/cli.md"): cli_page(root),
        Path("include/setup/help.txt"): help_page(root),
    }
    return tuple(Page(path, text, _read(root / path)) for path, text in made.items())


def apply(root: Path, pages: Sequence[Page]) -> list[Path]:
    """Writes the pages that differ, and returns their paths."""
    changed = [page for page in pages if page.differs]
    for page in changed:
        storage.make_dirs((root / page.path).parent)
        storage.replace(root / page.path, page.text.encode())
    return [page.path for page in changed]


def errors_page() -> str:
    """docs/errors.md: the exit codes, then a section for each error, in the order of the tree."""
    return (
        "\n".join(
            [_ERRORS_HEAD, *_exit_codes(), *(line for kind in kinds() for line in _section(kind))]
        ).rstrip()
        + "\n"
    )


def dags_page(root: Path) -> str:
    """docs/DAGS.md. Raises ConfigError if a DAG file does not load."""
    return _printed(root, _DAGS, "dags/")


def cli_page(root: Path) -> str:
    """docs/cli.md: every verb and option. Raises ConfigError if a verb does not load."""
    return _printed(root, _CLI, "include/cli/")


def help_page(root: Path) -> str:
    """include/setup/help.txt: the help that the front door prints without an environment. Raises ConfigError
    if a verb does not load."""
    return _printed(root, _HELP, "include/cli/")


def _printed(root: Path, program: str, where: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise ConfigError(done.stderr.strip().rpartition("\n")[2] or "the page could not be made", where)
    return done.stdout


def kinds() -> Iterator[type[CaudalError]]:
    """The errors of the tree below its root, without classes that other modules derive for themselves."""
    return (kind for kind in errors.tree() if kind.__module__ == errors.__name__ and kind is not CaudalError)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _exit_codes() -> Iterator[str]:
    yield from ("## Exit codes", "", "| code | meaning | errors |", "|---|---|---|")
    for code in ExitCode:
        named = ", ".join(f"[{kind.code}](#{kind.code})" for kind in kinds() if kind.exit_code is code)
        yield f"| {int(code)} | {MEANINGS[code]} | {named} |"
    yield from (f"| {code} | {meaning} | |" for code, meaning in _OUTSIDE.items())
    yield ""


def _section(kind: type[CaudalError]) -> Iterator[str]:
    again = (
        "Airflow tries the task again by itself."
        if kind.transient
        else "Trying again does not help before something is changed."
    )
    yield from (
        f"## {kind.code}",
        "",
        " ".join((kind.__doc__ or "").split()),
        "",
        f"Exit code {int(kind.exit_code)}. {again}",
        "",
    )
    yield from (
        f"- {where}: {_escaped(way)}"
        for where, way in (("Command line", kind.cli), ("Airflow", kind.ui))
        if way
    )
    yield ""


def _escaped(text: str) -> str:
    """`<stream>` would be read as HTML."""
    return text.replace("<", "&lt;").replace(">", "&gt;")
