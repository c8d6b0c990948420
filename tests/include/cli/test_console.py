"""Foreign names cannot draw on the terminal or pass for a line of ours."""

from __future__ import annotations

import pytest

from include.cli.terminal import console


def test_a_name_with_line_ends_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("a\nput b\r\x1b[2J")
    console.table(("file",), [("a\nb",)])
    assert capsys.readouterr().out == "a\\x0aput b\\x0d\\x1b[2J\nfile\na\\x0ab\n"
