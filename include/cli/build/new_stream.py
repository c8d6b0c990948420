"""new-stream NAME: writes registry row, job, domain function and a first test."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from include import labs, settings, streams
from include.cli.terminal.console import json_line, say
from include.kafka import connection
from include.labs import scaffold
from include.labs.scaffold import LabRequest
from include.scaffold import naming, request, write
from include.scaffold.reading import Reading
from include.scaffold.request import Request, Words
from include.services import announce
from include.settings import Settings
from jobs.contract.errors import CaudalError, UsageError
from jobs.contract.stream import Files, Topic
from jobs.labs.declared import ends


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of stream, DAG, module and folder: lower-case letters a to z, digits and _."
        ),
    ],
    columns: Annotated[
        str, typer.Option(help='NAME:TYPE,… as in "id:string,amount:decimal(10,2),at:timestamp".')
    ] = "",
    source: Annotated[
        str, typer.Option("--from", help=f"Where records come from: {request.FROM}. A lab: {scaffold.FROM}.")
    ] = "files:json",
    sink: Annotated[
        str, typer.Option("--to", help=f"Where rows go: {request.TO}. A lab: {scaffold.TO}.")
    ] = "files:json",
    required: Annotated[
        str,
        typer.Option(
            help="Columns that a record must have, or it is refused (default: the key, or the first)."
        ),
    ] = "",
    separator: Annotated[str, typer.Option(help="CSV files: the character between two fields.")] = ",",
    header: Annotated[bool, typer.Option(help="CSV files: the first line names the columns.")] = True,
    columns_by: Annotated[
        str, typer.Option("--columns-by", help="CSV files with a header: by-name, in-order, by-position.")
    ] = "by-name",
    missing_columns: Annotated[
        str, typer.Option(help="If a CSV file lacks a column: refuse the file, or null.")
    ] = "refuse",
    extra_columns: Annotated[
        str, typer.Option(help="If a CSV file has more columns: refuse the file, or ignore them.")
    ] = "refuse",
    multiline: Annotated[
        bool, typer.Option("--multiline", help="CSV files: a quoted field may hold line ends.")
    ] = False,
    decimal: Annotated[str, typer.Option(help="CSV: the decimal mark, a point or a comma (12,50).")] = ".",
    date_format: Annotated[
        str, typer.Option(help="Pattern of dates, such as dd/MM/yyyy (default: ISO 8601).")
    ] = "",
    timestamp_format: Annotated[
        str, typer.Option(help="Pattern of times, such as 'dd/MM/yyyy HH:mm:ss' (default: ISO 8601).")
    ] = "",
    timezone: Annotated[
        str, typer.Option(help="Time zone of times that have none, such as Europe/Madrid.")
    ] = "UTC",
    folder: Annotated[str, typer.Option(help="Files: their folder in entrada (default: NAME).")] = "",
    schedule: Annotated[
        str, typer.Option(help="Cron expression in UTC; none: started by hand only.")
    ] = "*/5 * * * *",
    about: Annotated[str, typer.Option(help="One line that says what the stream is for.")] = "",
    as_lab: Annotated[
        bool,
        typer.Option(
            "--lab",
            help="Write a lab, with Spark's own sources and sinks. Ends other than FROM and TO need one.",
        ),
    ] = False,
    mode: Annotated[str, typer.Option(help="Labs: output mode, append, update or complete.")] = "append",
    trigger: Annotated[
        str,
        typer.Option(
            help="Labs: default, processing-time, once, available-now, continuous (default: by the source)."
        ),
    ] = "",
    state: Annotated[
        str, typer.Option(help="Labs: the state of the transform: none, aggregation, windowed.")
    ] = "none",
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Write the files of a new stream. No existing file is edited or overwritten. A running Airflow shows its
    DAG within seconds."""
    loaded = settings.load()
    needed = tuple(filter(None, (word.strip() for word in required.split(","))))
    reading = Reading(
        columns_by,
        missing_columns,
        extra_columns,
        multiline,
        decimal,
        date_format,
        timestamp_format,
        timezone,
    )
    between = separator.replace("\\t", "\t")
    words = Words(name, source, sink, columns, needed, between, header, folder, schedule, about, reading)
    registry = streams.collect()[0]
    naming.check_name(name, loaded.root, registry, source)
    asked: Request | LabRequest
    if as_lab or scaffold.wanted(words):
        asked = scaffold.check(
            words, scaffold.Manner(mode, trigger, state), loaded.root, registry, labs.collect()[0]
        )
        files = scaffold.plan(asked, loaded.root)
    else:
        if (mode, trigger, state) != ("append", "", "none"):
            raise UsageError(
                "--mode, --trigger and --state are for labs", "--mode", cli="add --lab, or leave them out"
            )
        asked = request.check(_asked(words), loaded.root, registry)
        files = write.plan(asked, loaded.root)
    written = _written(files, loaded.root, plan)
    if not plan:
        for line in _commands(asked, loaded):
            say(line)
    if as_json:
        sample = "" if isinstance(asked, LabRequest) else write.sample(asked)
        json_line({"stream": name, "planned": [f.path for f in files], "written": written, "sample": sample})


def _commands(asked: Request | LabRequest, loaded: settings.Settings) -> list[str]:
    """What to type next."""
    if isinstance(asked, LabRequest):
        return _next_lab(asked)
    return _next(asked, announce.stream(loaded), _broker(loaded))


def _written(files: tuple[write.NewFile, ...], root: Path, plan: bool) -> list[Path]:
    """Writes the files and lists them. With `plan` it only lists them."""
    for file in files:
        does = "there already" if file.present else "would write" if plan else "writes"
        say(f"{does} {file.path.relative_to(root)}")
    return [] if plan else write.apply(files)


def _asked(words: Words) -> Words:
    """Asks for the columns, but only on a terminal."""
    if words.columns:
        return words
    if not sys.stdin.isatty():
        raise UsageError("the columns are missing", "--columns", cli='--columns "id:string,amount:double"')
    return Words(**{**vars(words), "columns": typer.prompt('columns, as in "id:string,amount:double"')})


def _broker(config: Settings) -> bool:
    """Whether this home has a broker."""
    try:
        return bool(connection.bootstrap(config))
    except CaudalError:
        return False


def _next(made: Request, airflow: str, broker: bool) -> list[str]:
    stream = made.stream
    form = stream.source.format
    feed = [f"printf '%s\\n' {shlex.join(write.sample(made).splitlines())} > muestra.{form}"]
    if isinstance(stream.source, Topic):
        feed += [f"./caudal produce {stream.source.name} --file muestra.{form}"]
    else:
        feed += [f"./caudal put {stream.name} muestra.{form}"]
    topics = [*([] if broker else ["./caudal up"]), "./caudal topics create"] if stream.topics else []
    look = (
        f"./caudal show {stream.name}"
        if isinstance(stream.sink, Files)
        else f"./caudal consume {stream.sink.name}"
    )
    steps = [*topics, *feed, f"./caudal run {stream.name}", look]
    test = f"tests/jobs/domain/test_{stream.name}.py"
    return [
        "",
        "Next, to see it work:",
        *(f"  {step}" for step in steps),
        f"In the UI: {airflow}",
        f"Then write the transform in jobs/domain/{stream.name}.py and its test in",
        f"{test}; try it: ./caudal test {test}",
        "Last, bring the pages up to date: ./caudal docs",
    ]


def _next_lab(made: LabRequest) -> list[str]:
    name = made.name
    return [
        "",
        "Next, to see it work:",
        *(f"  {step}" for step in (*_feed(made), f"./caudal lab {name}")),
        f"Then write the transform in jobs/domain/{name}.py and its test in tests/jobs/labs/test_{name}.py;",
        f"try it: ./caudal test tests/jobs/labs/test_{name}.py",
        "Last, bring the help up to date: ./caudal docs",
    ]


def _feed(made: LabRequest) -> list[str]:
    """The commands that give the lab something to read."""
    source = made.pipeline.source
    if isinstance(source, ends.Socket):
        return [f"nc -lk {source.port}  (in another terminal, first; each line you type there is a record)"]
    if isinstance(source, ends.Folder):
        return [
            f"put files into labs/{made.name}/{source.path} of the home, and add --keep:"
            " without it a lab begins with an empty folder"
        ]
    if isinstance(source, ends.Table):
        return [f"create the table {source.name} in jobs/labs/propios/{made.name}.py: the catalog is empty"]
    if isinstance(source, ends.Subscription):
        topic = source.topics[0] if source.topics else "TOPIC"
        known = topic in {one.name for row in streams.collect()[0].values() for one in row.topics}
        make = (
            "./caudal topics create"
            if known
            else f"create the topic {topic} with your broker's tools, unless ./caudal topics list shows it"
        )
        return ["./caudal up", make, f"./caudal produce {topic} --file FILE"]
    return []
