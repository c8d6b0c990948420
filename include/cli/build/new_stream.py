"""new-stream NAME: registry row, job, domain function and its first test."""

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
            help="Lower-case letters a to z, digits and _: stream, DAG, module and folder get it."
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
        str, typer.Option(help="Columns without which a record is refused (default: the key, or the first).")
    ] = "",
    separator: Annotated[str, typer.Option(help="CSV files: between two fields.")] = ",",
    header: Annotated[bool, typer.Option(help="CSV files: the first line names the columns.")] = True,
    columns_by: Annotated[
        str, typer.Option("--columns-by", help="CSV files with a header: by-name, in-order, by-position.")
    ] = "by-name",
    missing_columns: Annotated[
        str, typer.Option(help="Columns a CSV file does not have: refuse the file, or null.")
    ] = "refuse",
    extra_columns: Annotated[
        str, typer.Option(help="Columns only a CSV file has: refuse the file, or ignore them.")
    ] = "refuse",
    multiline: Annotated[
        bool, typer.Option("--multiline", help="CSV files: a quoted field may hold line ends.")
    ] = False,
    decimal: Annotated[str, typer.Option(help="CSV: the mark in numbers, . or a comma as in 12,50.")] = ".",
    date_format: Annotated[str, typer.Option(help="Dates, as in dd/MM/yyyy (default: ISO 8601).")] = "",
    timestamp_format: Annotated[
        str, typer.Option(help="Times, as in 'dd/MM/yyyy HH:mm:ss' (default: ISO 8601).")
    ] = "",
    timezone: Annotated[str, typer.Option(help="Of times without one, as in Europe/Madrid.")] = "UTC",
    folder: Annotated[str, typer.Option(help="Files: the folder under entrada (default: NAME).")] = "",
    schedule: Annotated[str, typer.Option(help="Cron text in UTC, or none: by hand only.")] = "*/5 * * * *",
    about: Annotated[str, typer.Option(help="One line: what this stream is for.")] = "",
    as_lab: Annotated[
        bool, typer.Option("--lab", help="A lab of Spark's own files and topics; other ends always are labs.")
    ] = False,
    mode: Annotated[str, typer.Option(help="Labs: append, update, complete.")] = "append",
    trigger: Annotated[
        str,
        typer.Option(
            help="Labs: default, processing-time, once, available-now, continuous; left out: as the source can."
        ),
    ] = "",
    state: Annotated[
        str, typer.Option(help="Labs: none, aggregation, windowed: what the transform will keep.")
    ] = "none",
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be written; change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Write a new stream: files are added, none is edited or overwritten. A running Airflow shows its DAG within seconds."""
    loaded = settings.load()
    needed = tuple(filter(None, (word.strip() for word in required.split(","))))
    words = Words(
        name,
        source,
        sink,
        columns,
        needed,
        separator.replace("\\t", "\t"),
        header,
        folder,
        schedule,
        about,
        Reading(
            columns_by,
            missing_columns,
            extra_columns,
            multiline,
            decimal,
            date_format,
            timestamp_format,
            timezone,
        ),
    )
    registry = streams.collect()[0]
    naming.check_name(name, loaded.root, registry, source)
    made: Request | LabRequest
    if as_lab or scaffold.wanted(words):
        made = scaffold.check(
            words, scaffold.Manner(mode, trigger, state), loaded.root, registry, labs.collect()[0]
        )
        files = scaffold.plan(made, loaded.root)
    else:
        if (mode, trigger, state) != ("append", "", "none"):
            raise UsageError(
                "--mode, --trigger and --state are for labs", "--mode", cli="add --lab, or leave them out"
            )
        made = request.check(_asked(words), loaded.root, registry)
        files = write.plan(made, loaded.root)
    written = _written(files, loaded.root, plan)
    if not plan:
        for line in (
            _next_lab(made)
            if isinstance(made, LabRequest)
            else _next(made, announce.stream(loaded), _broker(loaded))
        ):
            say(line)
    if as_json:
        sample = "" if isinstance(made, LabRequest) else write.sample(made)
        json_line({"stream": name, "planned": [f.path for f in files], "written": written, "sample": sample})


def _written(files: tuple[write.NewFile, ...], root: Path, plan: bool) -> list[Path]:
    """Says what is written, or would be with `plan`, which writes nothing."""
    for file in files:
        say(
            f"{'there already' if file.present else 'would write' if plan else 'writes'} {file.path.relative_to(root)}"
        )
    return [] if plan else write.apply(files)


def _asked(words: Words) -> Words:
    """Asks for the columns at a terminal, never elsewhere."""
    if words.columns:
        return words
    if not sys.stdin.isatty():
        raise UsageError("the columns are missing", "--columns", cli='--columns "id:string,amount:double"')
    return Words(**{**vars(words), "columns": typer.prompt('columns, as in "id:string,amount:double"')})


def _broker(config: Settings) -> bool:
    """Whether this home knows one."""
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
    return [
        "",
        "Next, to see it work:",
        *(f"  {step}" for step in steps),
        f"In the UI: {airflow}",
        f"Then write what it does into jobs/domain/{stream.name}.py, what it must do into tests/jobs/domain/test_{stream.name}.py,",
        f"and try it: ./caudal test tests/jobs/domain/test_{stream.name}.py; last, ./caudal docs brings the pages up to date.",
    ]


def _next_lab(made: LabRequest) -> list[str]:
    name = made.name
    return [
        "",
        "Next, to see it work:",
        *(f"  {step}" for step in (*_feed(made), f"./caudal lab {name}")),
        f"Then write what it does into jobs/domain/{name}.py, what it must do into tests/jobs/labs/test_{name}.py,",
        f"and try it: ./caudal test tests/jobs/labs/test_{name}.py; last, ./caudal docs brings the help up to date.",
    ]


def _feed(made: LabRequest) -> list[str]:
    """What has to be done before the lab finds something."""
    source = made.pipeline.source
    if isinstance(source, ends.Socket):
        return [f"nc -lk {source.port}  (in another terminal, first; what you type there are the records)"]
    if isinstance(source, ends.Folder):
        return [
            f"put files into labs/{made.name}/{source.path} of the home, and add --keep: without it a lab begins with an empty folder"
        ]
    if isinstance(source, ends.Table):
        return [
            f"make the table {source.name} in jobs/labs/propios/{made.name}.py: a lab's catalog begins empty"
        ]
    if isinstance(source, ends.Subscription):
        topic = source.topics[0] if source.topics else "TOPIC"
        known = topic in {one.name for row in streams.collect()[0].values() for one in row.topics}
        make = (
            "./caudal topics create"
            if known
            else f"make the topic {topic} with your broker's own tools, if ./caudal topics list has none"
        )
        return ["./caudal up", make, f"./caudal produce {topic} --file FILE"]
    return []
