"""test: runs linters, type checks, layer contracts and the check of generated pages, then the tests, in a
home of their own."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from include import environment
from include import settings as configuration
from include.cli.terminal.console import console_error, say
from include.setup import class_data, jars, java, jvm
from jobs.contract.disk import storage
from jobs.contract.errors import ExitCode, UsageError
from jobs.contract.nearest import nearest

# the one list of checks: the pre-commit hook runs `./caudal test --checks`
CHECKS = {
    "ruff": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "import-linter": ["-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
    "docs": ["-m", "include.cli", "docs", "--check"],
}
CLOSING = re.compile(r"\d+ (passed|failed|errors?|skipped|deselected)\b.* in [\d.]+s")
FAST = "not broker and not airflow and not slow and not torture"
# A test file stays in one process, with its broker and its Spark. tests/conftest.py puts the long files
# first.
# Two processes keep two cores busy; three took longer.
ALL_OF_THEM = (
    *("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"),
    *("--durations", "15", "--durations-min", "5"),
)
TAIL_BYTES = 65536  # the end of pytest's output, where its closing line is searched


def command(
    pytest_args: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TESTS]...", help="tests/…/test_x.py; pytest's options after --."),
    ] = None,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="Leave out broker, Airflow, labs and the slow matrices; about 3 minutes."
        ),
    ] = False,
    checks: Annotated[
        bool, typer.Option("--checks", help="Run only the checks, as the pre-commit hook does.")
    ] = False,
) -> None:
    """Run the checks (ruff, mypy, import-linter, `docs --check`), then pytest, whose closing line comes last.
    If test files or folders are named, run only these. Exit 1 if anything failed."""
    if checks:
        if pytest_args or fast:
            raise UsageError(
                "--checks runs no tests", "--checks", cli="leave it out, or name no tests and no --fast"
            )
        check()
        return
    alone = _named(pytest_args or [])
    run([*(["-m", FAST] if fast else []), *(pytest_args or ALL_OF_THEM)], {} if alone else CHECKS)


def _named(words: list[str]) -> list[str]:
    """The words that name tests. Raises UsageError before anything runs if one does not exist."""
    root = configuration.ROOT
    named = [word for word in words if re.match(r"(\./)?tests(/|$)|[^-].*\.py(::|$)", word)]
    for word in named:
        path = word.partition("::")[0]
        if not (root / path).exists():
            known = {
                file.name: str(file.relative_to(root)) for file in sorted((root / "tests").rglob("test_*.py"))
            }
            near = [known[name] for name in nearest(Path(path).name, known)]
            raise UsageError(
                f"no such tests: {path[:80]}",
                root / "tests",
                cli=f"./caudal test {near[0]}" if near else "./caudal test --help",
            )
    return named


def check() -> None:
    """Runs CHECKS only; they need neither Java nor jars. Raises typer.Exit if one failed."""
    settings = configuration.load()
    with tempfile.TemporaryDirectory(prefix="caudal-test-", dir=_place(settings)) as home:
        failed = _failed(CHECKS, settings.root, _environ(settings, Path(home)))
    _end(failed)


def run(pytest_args: list[str], checks: dict[str, list[str]] = CHECKS) -> None:
    """Runs `checks`, then pytest with these arguments, in a home of its own. Raises typer.Exit if anything
    failed."""
    settings = configuration.load()
    found = java.find(settings)
    jars.ensure(settings, say)
    jvm.ensure(settings, found, class_data.spark_home(), say)
    class_data.ensure(settings, found, say)
    with tempfile.TemporaryDirectory(prefix="caudal-test-", dir=_place(settings)) as home:
        environ = _environ(settings, Path(home)) | {"JAVA_HOME": str(found.home)}
        failed = _failed(checks, settings.root, environ)
        code, closing = _pytest([sys.executable, "-P", "-m", "pytest", *pytest_args], settings.root, environ)
    if code:
        failed.append("pytest")
    if closing:
        print(closing, flush=True)
    _end(failed)


def _end(failed: list[str]) -> None:
    if failed:
        console_error(f"tests: {', '.join(failed)} failed")
        raise typer.Exit(int(ExitCode.FAILED))


def _place(settings: configuration.Settings) -> Path:
    """A folder below CAUDAL_TMP, or below the system's temporary folder if that can be written: there the
    paths of sockets are short."""
    with storage.disk_errors(settings.tmp):
        try:
            return Path(tempfile.gettempdir())
        except FileNotFoundError:
            storage.make_dirs(settings.tmp)
            return settings.tmp


def _pytest(argv: list[str], root: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Runs pytest and shows every dot as it comes. Returns its exit code, and its closing line if that was
    not the last line (see `closing_line`)."""
    color = ["--color=yes"] if sys.stdout.isatty() else []
    tail = b""
    with subprocess.Popen([*argv, *color], cwd=root, env=environ, stdout=subprocess.PIPE, bufsize=0) as child:
        while (
            part := child.stdout.read(TAIL_BYTES) if child.stdout else b""
        ):  # unbuffered: returns what is there, and does not wait for a whole line
            sys.stdout.buffer.write(part)
            sys.stdout.flush()
            tail = (tail + part)[-TAIL_BYTES:]
    return child.returncode, closing_line(tail.decode("utf-8", "replace"))


def closing_line(tail: str) -> str:
    """pytest's closing line if something was printed after it (by a library at exit); otherwise ""."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    closing = next((line for line in reversed(lines) if CLOSING.search(line)), "")
    return "" if lines[-1:] == [closing] else closing


def _failed(checks: dict[str, list[str]], root: Path, environ: dict[str, str]) -> list[str]:
    return [name for name, words in checks.items() if not _passes(name, words, root, environ)]


def _passes(name: str, words: list[str], root: Path, environ: dict[str, str]) -> bool:
    """Runs one check to its end; its output goes to stdout."""
    start = time.monotonic()
    say(f"{name} ...")
    code = subprocess.run([sys.executable, "-P", *words], cwd=root, env=environ, check=False).returncode
    say(f"{name}: {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - start:.1f} s")
    return code == 0


def _environ(settings: configuration.Settings, home: Path) -> dict[str, str]:
    kept = environment.of_tests(settings, home)
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": str(settings.root)}
