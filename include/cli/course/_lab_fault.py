"""Labs of traps: one fault, done with the same steps to a job with Spark's defaults and to Caudal, and
counted by the same code."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from include.cli.terminal.console import json_line, say, step, table
from jobs.contract.errors import ExitCode, Refused
from jobs.labs.declared.lab import Lab

_COLUMNS = ("", "entregadas", "perdidas", "atascadas", "de más", "en cuarentena", "salidas", "dice")


def run(lab: Lab, as_json: bool) -> int:
    """Returns exit code 1 when Caudal has lost or repeated something, or left it stuck."""
    say(f"{lab.name}: {lab.title}")
    # imported here because its packages cost half a second, which other labs do not need
    from include.torture.faults import series

    with step("el mismo fallo en los dos: Spark sin más, y Caudal"):
        try:
            line = series.named(lab.fault, lambda _: None)
        except RuntimeError as error:
            raise Refused(str(error), lab.name, cli="como root, o lee docs/reliability.md") from None
    table(_COLUMNS, [_row("Spark sin más", line.plain), _row("Caudal", line.caudal)], prose="dice")
    for sentence in lab.doc.splitlines():
        say(sentence)
    if as_json:
        plain, caudal = asdict(line.plain), asdict(line.caudal)
        json_line({"lab": lab.name, "fault": line.fault, "plain": plain, "caudal": caudal})
    right = not (line.caudal.lost or line.caudal.stuck or line.caudal.many)
    return int(ExitCode.DONE if right else ExitCode.FAILED)


def _row(side: str, ends: Any) -> tuple[object, ...]:
    codes, said = ", ".join(map(str, ends.codes)), "; ".join(ends.said) or "-"
    return (side, ends.delivered, ends.lost, ends.stuck, ends.many, ends.refused, codes, said)
