"""torture: kills runs and housekeeping halfway, in a home of its own, and compares the result with a plain
reference."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from include.cli.build import test
from include.cli.terminal.console import json_line, say, table
from jobs.contract.errors import ExitCode, UsageError
from jobs.contract.nearest import hint

_FILES = "facturas_ficheros"
_TOGETHER = 3  # at most this many kills in a row, before one run may end


def command(
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="The same seed kills at the same places; default: a new one each time."),
    ] = None,
    kills: Annotated[int, typer.Option(min=1, max=100_000, help="Number of kills; about 5 s each.")] = 20,
    minutes: Annotated[
        float, typer.Option(min=0.1, help="Stop after this time, even if kills are left.")
    ] = 600.0,
    power_cuts: Annotated[
        bool,
        typer.Option("--power-cuts/--no-power-cuts", help="A third of the kills also simulate a power cut."),
    ] = True,
    faults: Annotated[
        bool,
        typer.Option(
            "--table", help="Instead of kills: everyday faults, on the plain job and on Caudal; 8 minutes."
        ),
    ] = False,
    only: Annotated[
        str,
        typer.Option("--only", metavar="WORDS", help="With --table: only faults whose name contains WORDS."),
    ] = "",
    with_kafka: Annotated[
        bool,
        typer.Option("--with-kafka", help="With --table: also faults of topics, on a separate broker."),
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="PAGE",
            exists=True,
            dir_okay=False,
            help="With --table: write it between the markers of this page.",
        ),
    ] = None,
    stream: Annotated[
        str,
        typer.Option(
            help="facturas_ficheros; or notificaciones, with a broker of its own: about 20 s a kill."
        ),
    ] = _FILES,
    tests: Annotated[
        bool,
        typer.Option(
            "--tests",
            help="Instead of kills: the full test matrices, of which `test` runs a sample; an hour.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> int:
    """Kill -9 runs, archiving, rollovers, rewinds and purges at named steps and random times, and start them
    again. In the end every row must be there exactly once."""
    if tests:
        test.run(["-m", "torture", *test.ALL_OF_THEM], checks={})
        return int(ExitCode.DONE)
    if faults:
        return _table(only, with_kafka, write, as_json)
    if stream != _FILES:
        return _topics(stream, seed, kills, minutes, as_json)
    from include.torture import series  # imported here: it takes half a second, and no other verb needs it

    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="caudal-torture-"))
    deadline = time.monotonic() + 60 * minutes
    say(f"seed {chosen}, home {folder / 'home'}")
    one = series.Series(folder, chosen, 0.33 if power_cuts else 0.0, together=_TOGETHER, say=say)
    outcomes = one.run(series.POINTS, kills, lambda: time.monotonic() < deadline)
    wrong = [outcome for outcome in outcomes if outcome.result == series.WRONG]
    _show(outcomes)
    world = one.world
    say(
        f"{len(outcomes)} kills, {len(wrong)} wrong; {world.rows.total()} rows, "
        f"{world.bad.total()} quarantined, {len(world.contents)} files"
    )
    for outcome in wrong:
        again = f"./caudal torture --seed {chosen} --kills {kills}"
        say(f"WRONG: {outcome.point}: {outcome.why}; the home is kept: {folder}; to repeat: {again}")
    if as_json:
        json_line(
            {
                "seed": chosen,
                "kills": len(outcomes),
                "wrong": len(wrong),
                "outcomes": [asdict(o) for o in outcomes],
            }
        )
    if not wrong:
        shutil.rmtree(folder)  # noqa: TID251 - the temporary folder made above
    return int(ExitCode.FAILED if wrong else ExitCode.DONE)


def _topics(stream: str, seed: int | None, kills: int, minutes: float, as_json: bool) -> int:
    """Kills runs of the stream into a topic and its broker, and leaves foreign transactions open. After each
    kill, a read_committed consumer is compared with the reference."""
    from include.torture import notifications as series
    from include.torture.topic_world import NAME

    if stream != NAME:
        raise UsageError(
            f"no series of kills for {stream!r}{hint(stream, (_FILES, NAME))}",
            "--stream",
            cli=f"take {_FILES} or {NAME}",
        )
    chosen, deadline = secrets.randbelow(1_000_000) if seed is None else seed, time.monotonic() + 60 * minutes
    folder = Path(tempfile.mkdtemp(prefix="caudal-torture-"))
    say(f"seed {chosen}, home {folder / 'home'}")
    one = series.Series(folder, chosen, say)
    outcomes = one.run(series.POINTS, kills, lambda: time.monotonic() < deadline)
    made = sum(len(outcome.killed) for outcome in outcomes)
    say(f"{made} kills in {len(outcomes)} rounds, {len(one.wrong)} wrong; {one.world.sent.total()} messages")
    for outcome in one.wrong:
        again = f"./caudal torture --stream {stream} --seed {chosen} --kills {kills}"
        say(f"WRONG: {outcome}; the home is kept: {folder}; to repeat: {again}")
    if as_json:
        json_line(
            {
                "seed": chosen,
                "kills": made,
                "wrong": len(one.wrong),
                "outcomes": [asdict(o) for o in outcomes],
            }
        )
    if not one.wrong:
        shutil.rmtree(folder)  # noqa: TID251 - the temporary folder made above
    return int(ExitCode.FAILED if one.wrong else ExitCode.DONE)


def _show(outcomes: list[Any]) -> None:
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counts.setdefault(str(outcome.point), Counter()).update(
            (outcome.result, "power cuts" if outcome.took else "kills alone")
        )
    columns = ("right", "right after the named repair", "not reached", "WRONG", "power cuts")
    table(
        ("killed", *columns),
        [(point, *(found[c] or "-" for c in columns)) for point, found in sorted(counts.items())],
    )


def _table(only: str, with_kafka: bool, page: Path | None, as_json: bool) -> int:
    """FAILED if Caudal lost something, left it stuck or published it twice."""
    if page and (only or not with_kafka):
        raise UsageError(
            "--write needs the whole table: use --with-kafka, and leave out --only",
            page,
            cli="./caudal torture --table --with-kafka --write PAGE",
        )
    from include.torture.faults import series
    from include.torture.faults import table as pages

    if page:
        pages.block(page.read_text(encoding="utf-8"))  # fails now, not after minutes of work
    lines = list(series.measure(only, with_kafka, lambda text: print(text, file=sys.stderr, flush=True)))
    text = pages.markdown(lines, datetime.now(UTC))
    print(text)
    if page:
        pages.write(page, text)
    wrong = [line for line in lines if line.caudal.lost or line.caudal.stuck or line.caudal.many]
    if as_json:
        json_line({"faults": [asdict(line) for line in lines], "wrong": [line.fault for line in wrong]})
    return int(ExitCode.FAILED if wrong or not lines else ExitCode.DONE)
