"""The front of the command line: a wrong word is one line and exit 64, whatever the library below makes of
it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.cli import __main__ as front
from include.settings import ROOT

CAUDAL = (sys.executable, "-P", "-m", "include.cli")


def caudal(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **variables}
    return subprocess.run(
        [*CAUDAL, *words], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nada"], "No such command 'nada'"),
        (["--bogus"], "No such option: --bogus"),
        (["put"], "Missing argument 'stream'"),
        (["show", "facturas_ficheros", "--rows", "many"], "Invalid value for '--rows'"),
        (["topics"], "Missing command. -> ./caudal topics --help"),
        (["generation", "rollover"], "Missing argument 'STREAM'. -> ./caudal generation rollover --help"),
        (["show", "nada"], "unknown-stream: no stream 'nada'"),
        (["run", "factura_kafka"], "no stream 'factura_kafka'. Did you mean 'facturas_kafka'"),
        (["audit", "camino"], "-> camino is a lab: ./caudal lab camino"),
        (
            ["lab", "facturas_kafka"],
            "facturas_kafka es un stream, no un laboratorio [include/streams/] -> ./caudal run "
            "facturas_kafka",
        ),
        (["lab", "01-palabras"], "-> ./caudal notebook --execute 01-palabras"),
        (
            ["lab", "camino", "--sorce", "files"],
            "camino no tiene la opción --sorce. ¿Querías decir '--source'",
        ),
        (
            ["lab", "camino", "--mode", "complet"],
            "'complet' no es ninguno de append, update, complete. ¿Querías decir 'complete'?",
        ),
        (["notebook", "--execute", "palabras"], "no notebook 'palabras'. Did you mean '01-palabras'?"),
        (["test", "tests/jobs/domain/test_bizum.py"], "no such tests: tests/jobs/domain/test_bizum.py"),
        (["topics", "creat"], "No such command 'creat'. Did you mean 'create'?"),
        (["quarantine"], "Missing command. -> ./caudal quarantine --help"),
        (["run", "../etc"], "unknown-stream"),
        (["torture", "--stream", "facturas_kafka"], "usage: no series of kills for 'facturas_kafka'"),
    ],
)
def test_a_wrong_word_is_one_line_on_stderr_and_exit_64(words: list[str], says: str) -> None:
    done = caudal(*words)
    assert done.returncode == 64
    assert done.stdout == ""
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_home_that_cannot_be_made_is_one_line_and_exit_78(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    for words in (["up"], ["sample", "facturas_ficheros", "--count", "1"], ["topics", "create"]):
        done = caudal(*words, CAUDAL_HOME=str(tmp_path / "a file"))
        assert (done.returncode, len(done.stderr.splitlines())) == (78, 1), done.stderr
    assert (tmp_path / "a file").read_text() == ""


def test_a_full_disk_below_the_output_is_one_line_and_exit_69(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*CAUDAL, "status"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (69, 1), done.stderr
    assert done.stderr.startswith("caudal: disk-full: no space left -> ")


def test_a_reader_that_goes_away_is_exit_141_and_no_word() -> None:
    with subprocess.Popen(
        [*CAUDAL, "status"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        assert (child.stderr.read(), child.wait()) == ("", 141)


def test_what_was_not_foreseen_is_exit_70_with_its_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumble(**_: object) -> None:
        raise ValueError("of a bug")

    monkeypatch.setattr(front, "collect", lambda _: None)
    monkeypatch.setattr(front, "app", stumble)
    with pytest.raises(SystemExit) as end:
        front.main(["status"])
    said = capsys.readouterr().err.splitlines()
    assert (end.value.code, said[0], said[-1][:38]) == (
        70,
        "Traceback (most recent call last):",
        "caudal: bug: ValueError: of a bug -> .",
    )


def test_no_word_at_all_is_the_help_page_under_the_projects_name() -> None:
    done = caudal()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().startswith("Usage: caudal [OPTIONS] COMMAND")
    assert all(f" {verb} " in done.stdout for verb in ("bench", "checkpoint-show", "new-stream", "where"))


def test_a_verb_alone_takes_its_own_words_only() -> None:
    done = caudal("--debug", "checkpoint-show", "--help")
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["Usage:", "caudal", "checkpoint-show"])
