"""What `./caudal test` shows of pytest, with programs that print as pytest does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from include.cli.build import test as verb
from jobs.contract.errors import ExitCode, UsageError
from tests.conftest import slowest

CLOSED = "=== 3 passed, 1 skipped in 2.50s ==="


def printed(code: str, tmp_path: Path) -> tuple[int, str]:
    return verb._pytest([sys.executable, "-c", code], tmp_path, {})


def test_a_dot_is_seen_while_the_tests_go_on(tmp_path: Path) -> None:
    """The child ends its line only when its first dots have been read; held back until the line's end they
    would come too late."""
    child = """import pathlib, time
print("..", end="", flush=True)
seen, until = pathlib.Path("seen"), time.monotonic() + 10
while not seen.exists() and time.monotonic() < until: time.sleep(0.02)
print("." if seen.exists() else "late")"""
    code = (
        f"from include.cli.build import test; test._pytest([{sys.executable!r}, '-c', {child!r}], "
        f"{str(tmp_path)!r}, {{}})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=verb.configuration.ROOT, stdout=subprocess.PIPE, bufsize=0
    ) as seen:
        assert seen.stdout is not None
        first = seen.stdout.read(2)
        (tmp_path / "seen").write_text("")
        assert (first, seen.stdout.read()) == (b"..", b".\n")
    assert seen.returncode == 0


def test_the_exit_code_is_pytests_and_its_closing_line_stands_where_it_is_last(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert printed(f"print('...'); print({CLOSED!r}); raise SystemExit(1)", tmp_path) == (1, "")
    assert capfd.readouterr().out == f"...\n{CLOSED}\n"


def test_a_farewell_after_the_closing_line_has_it_said_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert printed(f"print({CLOSED!r}); print('bye'); print()", tmp_path) == (0, CLOSED)
    assert capfd.readouterr().out == f"{CLOSED}\nbye\n\n"


def test_bytes_that_are_no_text_pass_through(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert printed("import os; os.write(1, bytes([255, 10]))", tmp_path) == (0, "")
    assert capfdbinary.readouterr().out == b"\xff\n"


@pytest.mark.parametrize(
    "line",
    [CLOSED, "1 failed in 0.01s", "2 errors in 3.00s", "== 10 passed, 2 deselected in 70.12s (0:01:10) =="],
)
def test_every_closing_line_of_pytest_is_known(line: str) -> None:
    assert verb.closing_line(f"x\n{line}\nfarewell\n") == line


def test_without_a_closing_line_nothing_is_said_again() -> None:
    assert (verb.closing_line(""), verb.closing_line("ERROR: usage\n")) == ("", "")


def test_a_files_seconds_are_those_of_all_its_tests_with_their_set_up() -> None:
    reports = [
        SimpleNamespace(nodeid=n, duration=s)
        for n, s in (("a.py::x", 4.0), ("b.py::y[1]", 9.0), ("a.py::x", 7.0), ("c.py::z", 1.0))
    ]
    assert slowest(reports, 5.0) == [(11.0, "a.py"), (9.0, "b.py")]


def test_named_tests_are_known_by_their_place_and_one_that_is_not_there_by_the_nearest() -> None:
    here = "tests/include/cli/test_test.py"
    assert verb._named([here, f"{here}::test_x", "tests", "-k", "word", "-q"]) == [
        here,
        f"{here}::test_x",
        "tests",
    ]
    assert verb._named(["-m", "spark", "--junitxml=out/x.xml"]) == []
    with pytest.raises(UsageError, match=r"no such tests: tests/include/cli/test_tests\.py") as caught:
        verb._named(["tests/include/cli/test_tests.py"])
    assert caught.value.way_cli.startswith("./caudal test tests/")


def test_named_tests_run_without_the_linters(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr(verb, "run", lambda *words: ran.append(words))
    verb.command(["tests/include/cli/test_test.py"])
    verb.command(["-k", "word"])
    verb.command(None, fast=True)
    assert ran == [
        (["tests/include/cli/test_test.py"], {}),
        (["-k", "word"], verb.CHECKS),
        (["-m", verb.FAST, *verb.ALL_OF_THEM], verb.CHECKS),
    ]


def test_checks_alone_are_the_checks_that_come_before_all_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(
        verb, "_passes", lambda name, words, root, environ: ran.append(words) or name != "mypy"
    )
    monkeypatch.setattr(verb, "run", lambda *words: pytest.fail("tests were run, too"))
    with pytest.raises(typer.Exit) as caught:
        verb.command(None, checks=True)
    assert (ran, caught.value.exit_code) == ([*verb.CHECKS.values()], ExitCode.FAILED)


@pytest.mark.parametrize(("words", "fast"), [(["tests/docs"], False), (None, True)])
def test_checks_alone_take_no_tests(words: list[str] | None, fast: bool) -> None:
    with pytest.raises(UsageError, match="--checks runs no tests"):
        verb.command(words, fast=fast, checks=True)
