"""What tells that something is being waited for: a spinner on a terminal alone, lines elsewhere, which keep
aside of an answer on stdout."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from include.settings import ROOT
from tests.include.cli.terminals import FRAMES, kept, on_a_terminal

PROGRAM = """
import sys, time
from include.cli.terminal import progress as _progress
from include.cli.terminal.console import json_line, say, step
_progress._TOLD_AFTER_S, _progress._LINES_APART_S, _progress._STILL_S = 0.2, 0.2, 0.4
with step("the broker", aside=True) as progress:
    time.sleep(0.4)
    progress.update("waiting for its port")
    time.sleep(0.4)
    say("a line of the answer")
    with step("within"):
        time.sleep(0.6)
with step("quick"):
    pass
json_line({"ok": True})
"""
RELAY = """
import sys, time
from include.cli.terminal.progress import spinner_below
from include.launch import child
with spinner_below("a program", child.write) as write:
    for part in (b"one\\nha", b"lf", b"\\nthe rest"):
        write(sys.stdout, part)
        time.sleep(0.5)
    write(sys.stderr, b"aside\\n")
"""


def apart(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_a_terminal_stdout_is_the_answer_alone_and_stderr_has_whole_lines() -> None:
    done = apart(PROGRAM)
    assert done.stdout == 'a line of the answer\n{"ok": true}\n'
    said = (
        " \\.\\.\\.",
        ": waiting for its port \\.\\.\\. \\d s",
        ": within \\.\\.\\. \\d s",
        ": done in [\\d.]+ s",
    )
    assert re.fullmatch("(.*\n)*".join(f"the broker{text}\n" for text in said), done.stderr), done.stderr
    assert not any(mark in done.stderr for mark in ("\x1b", "\r", "quick"))


def test_the_steps_of_a_verb_that_gives_no_answer_are_its_output() -> None:
    done = apart(PROGRAM.replace(", aside=True", ""))
    lines = done.stdout.splitlines()
    assert (done.stderr, lines[0], json.loads(lines[-1])) == ("", "the broker ...", {"ok": True})
    assert lines[-2].startswith("the broker: done in ")


def test_on_a_terminal_a_spinner_tells_it_and_leaves_nothing_behind() -> None:
    _, sent = on_a_terminal([sys.executable, "-c", PROGRAM], 80)
    assert any(f"{frame}the broker" in sent for frame in FRAMES)
    assert re.search("the broker: waiting for its port \\(\\d s\\)", sent)
    told = [line for line in kept(sent) if line]
    assert (told[0], told[1][:20], json.loads(told[2])) == (
        "a line of the answer",
        "the broker: done in ",
        {"ok": True},
    )


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}], ids=str)
def test_a_terminal_that_wants_no_control_characters_gets_none(variable: dict[str, str]) -> None:
    _, sent = on_a_terminal([sys.executable, "-c", PROGRAM], 80, **variable)
    assert "\x1b" not in sent and not any(f"{frame}the broker" in sent for frame in FRAMES)
    assert re.search("the broker: waiting for its port \\.\\.\\. \\d s", sent)


def test_a_step_that_fails_leaves_its_error_alone() -> None:
    done = apart("from include.cli.terminal.console import step\nwith step('x'):\n    raise SystemExit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_a_program_s_own_lines_go_where_it_sent_them_and_come_whole_above_the_spinner() -> None:
    done = apart(RELAY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\nhalf\nthe rest", "aside\n")
    _, sent = on_a_terminal([sys.executable, "-c", RELAY], 80)
    assert "a program (1 s)" in sent
    assert [line for line in kept(sent) if line] == ["one", "half", "aside", "the rest"]


def test_the_output_of_a_program_on_a_terminal_goes_to_the_pipe_that_is_asked_for(tmp_path: Path) -> None:
    line = f'{sys.executable} -c "$RELAY" | cat > {tmp_path}/piped'
    on_a_terminal(["sh", "-c", line], 80, RELAY=RELAY)
    assert (tmp_path / "piped").read_text() == "one\nhalf\nthe rest"
