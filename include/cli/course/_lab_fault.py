"""Labs of traps: one fault, applied in the same steps to a job with Spark's defaults and to Caudal, and
counted in the same way."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from include.cli.terminal.console import json_line, say, step, table
from jobs.contract.errors import ExitCode, Refused
from jobs.labs.declared.lab import Lab

_COLUMNS = ("", "entregadas", "perdidas", "atascadas", "de más", "en cuarentena", "salidas", "dice")


def run(lab: Lab, as_json: bool) -> int:
    """Exit 1 when Caudal has lost, repeated or left something."""
    say(f"{lab.name}: {lab.title}")
    from include.torture.faults import (
        series,
    )  # its packages cost half a second, which `lab` alone does not need

    with step("el mismo fallo en los dos: Spark sin más, y Caudal"):
        try:
            line = series.named(lab.fault, lambda _: None)
        except RuntimeError as error:
            raise Refused(str(error), lab.name, cli="como root, o lee docs/reliability.md") from None
    table(_COLUMNS, [_row("Spark sin más", line.plain), _row("Caudal", line.caudal)], prose="dice")
    for sentence in lab.doc.splitlines():
        say(sentence)
    if as_json:
        json_line(
            {"lab": lab.name, "fault": line.fault, "plain": asdict(line.plain), "caudal": asdict(line.caudal)}
        )
    right = not (line.caudal.lost or line.caudal.stuck or line.caudal.many)
    return int(ExitCode.DONE if right else ExitCode.FAILED)


def _row(side: str, ends: Any) -> tuple[object, ...]:
    codes = ", ".join(map(str, ends.codes))
    return (
        side,
        ends.delivered,
        ends.lost,
        ends.stuck,
        ends.many,
        ends.refused,
        codes,
        "; ".join(ends.said) or "-",
    )
