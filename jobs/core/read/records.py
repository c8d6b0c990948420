"""Turns each raw record into a typed record, or into a reason why not: exactly one of the two. No state is
kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.contract.errors import BrokenStream
from jobs.contract.stream import Files, Published, Stream, Topic
from jobs.core.read import csv_headers, strict
from jobs.core.read.csv_headers import HeaderLayouts

# Reasons of lines that are not records. They are counted, but neither accepted nor quarantined.
BLANK, HEADER = "blank", "header"
UNKNOWN_FIELD, EVENT_TIME = "unknown-field", "event-time"


@dataclass(frozen=True)
class Subject:
    """What is known of the data. `rules`: code -> SQL condition over the schema's columns that is true for a
    record that breaks the rule."""

    schema: StructType
    rules: Mapping[str, str]


def require_known(subject: Subject, stream: Stream) -> None:
    """Raises BrokenStream when the row names a rule or a column that its domain does not have."""
    checks = stream.checks
    if (form := stream.source.format) in ("json", "csv") and (
        name := strict.unreadable(subject.schema, form)
    ):
        raise BrokenStream(f"column {name!r} has a type that cannot be read from {form.upper()}", stream.name)
    unknown = [code for code in checks.report if code not in subject.rules]
    if unknown:
        raise BrokenStream(
            f"checks.report names {unknown[0]!r}; the rules are {', '.join(subject.rules) or 'none'}",
            stream.name,
        )
    if checks.event_time and checks.event_time.column not in subject.schema.names:
        raise BrokenStream(
            f"checks.event_time names {checks.event_time.column!r}, which is not a column of the schema",
            stream.name,
        )


def notes(subject: Subject, stream: Stream) -> tuple[str, ...]:
    """Codes of the rules that are only reported, in the order of their bits in _notes."""
    unknown = (
        (UNKNOWN_FIELD,)
        if stream.checks.unknown_fields == "report" and stream.source.format == "json"
        else ()
    )
    return (*unknown, *(code for code in subject.rules if code in stream.checks.report))


def classify(
    frame: DataFrame, subject: Subject, stream: Stream, layouts: HeaderLayouts | None = None
) -> DataFrame:
    """(_raw: binary, _origin, _admitted) -> (_raw, _origin, _layout, _verdict: long, _record: struct,
    _reason: string or null, _notes: bit mask).

    A record with `_reason` null is accepted. `layouts`: those of the csv files; without them, records follow
    the schema.
    """
    parsed = _read(frame, subject, stream, layouts or _as_the_schema(subject))
    # The SQL of the rules uses the schema's columns, so they are at the top level for this one step.
    judged = parsed.select("*", "_record.*").withColumn(
        "_reason", _by_rules(_reason(stream), subject, stream)
    )
    return judged.select(
        "_raw",
        "_origin",
        "_layout",
        "_verdict",
        "_record",
        "_reason",
        _notes(subject, stream).alias("_notes"),
    )


def business(classified: DataFrame, subject: Subject, *more: Column) -> DataFrame:
    """Accepted records, with the schema's columns at the top level, followed by `more`."""
    fields = [F.col(f"_record.`{name}`").alias(name) for name in subject.schema.names]
    # only the schema's columns: a transform must not depend on the names that begin with _
    return classified.where("_reason is null").select(*fields, *more)


def is_refused() -> Column:
    """True for a record that goes to quarantine."""
    reason = F.col("_reason")
    return F.coalesce(reason.isNotNull() & ~reason.isin(BLANK, HEADER), F.lit(False))


def message(
    classified: DataFrame, subject: Subject, stream: Stream, layouts: HeaderLayouts | None = None
) -> Column:
    """An explanation of the reason code of a refused record; null where the code says it all."""
    needs_words = strict.is_refused() | (F.col("_reason") == UNKNOWN_FIELD)
    source = _raw_source(stream)
    if source.format == "json":
        return F.when(needs_words, strict.why_not_json(classified, subject.schema, source))
    layouts = layouts or _as_the_schema(subject)
    return F.when(needs_words, strict.why_not_csv(classified, subject.schema, source, layouts))


def header(layouts: HeaderLayouts | None) -> Column:
    """The line that names the fields of a refused csv record; null where they follow the schema."""
    found = F.lit(None).cast("string")
    for number, kind in enumerate(layouts.kinds if layouts else ()):
        if kind.header and not kind.follows_schema:
            found = F.when(F.col("_layout") == number, kind.header).otherwise(found)
    return found


def _as_the_schema(subject: Subject) -> HeaderLayouts:
    return HeaderLayouts((csv_headers.plain(subject.schema.names),))


def _blank(source: Files | Topic) -> str:
    """The code of a record of white space. A blank line of a file is not a record; a blank message is a
    refused one."""
    return BLANK if isinstance(source, Files) else "empty-value"


def _raw_source(stream: Stream) -> Files | Topic:
    """The source of raw records. Streams that read published rows do not use this module."""
    assert not isinstance(stream.source, Published)  # noqa: S101 - the caller's condition
    return stream.source


def _read(frame: DataFrame, subject: Subject, stream: Stream, layouts: HeaderLayouts) -> DataFrame:
    source = _raw_source(stream)
    given = (subject.schema, stream.limits.record_bytes, _blank(source), source)
    frame = frame.withColumn("_layout", _layout(layouts))
    read = (
        strict.read_json(frame, *given)
        if source.format == "json"
        else strict.read_csv(frame, *given, layouts)
    )
    verdict, record = F.col("_read.verdict").alias("_verdict"), F.col("_read.record").alias("_record")
    return frame.withColumn("_read", read).select("_raw", "_origin", "_layout", "_admitted", verdict, record)


def _layout(layouts: HeaderLayouts) -> Column:
    """The number of the header layout of a record's file."""
    files: dict[int, list[str]] = {}
    for file, number in layouts.files.items():
        files.setdefault(number, []).append(file)
    found = F.lit(0)
    # Most batches have one layout, so this is the constant 0, and names are compared only for the exceptions.
    for number, names in files.items():
        found = F.when(F.col("_origin").isin(names), number).otherwise(found)
    return found


def _reason(stream: Stream) -> Column:
    reason = F.when(strict.is_refused(), strict.code())
    return (
        reason.when(strict.has_unknown(), UNKNOWN_FIELD)
        if stream.checks.unknown_fields == "refuse"
        else reason
    )


def _by_rules(reason: Column, subject: Subject, stream: Stream) -> Column:
    for code, condition in subject.rules.items():
        if code not in stream.checks.report:
            reason = reason.when(F.expr(condition), code)
    return reason.when(_out_of_time(stream), EVENT_TIME) if stream.checks.event_time else reason


def _out_of_time(stream: Stream) -> Column:
    """Whether the event time is outside of [admitted - past_s, admitted + future_s]. One event in the far
    future would move the watermark, and Spark would drop all later ones."""
    asked = stream.checks.event_time
    assert asked is not None  # noqa: S101 - the caller's condition
    column = F.col(f"`{asked.column}`")
    seconds = {
        "ms": column / 1000.0,
        "s": column.cast("double"),
        "timestamp": column.cast("timestamp").cast("double"),
    }[asked.unit]
    ahead = seconds - F.col("_admitted").cast("double")
    return (
        column.isNull()
        | (ahead > asked.future_s)
        | (ahead < -asked.past_s if asked.past_s is not None else F.lit(False))
    )


def _notes(subject: Subject, stream: Stream) -> Column:
    found = F.lit(0)
    for bit, code in enumerate(notes(subject, stream)):
        breaks = strict.has_unknown() if code == UNKNOWN_FIELD else F.expr(subject.rules[code])
        found = found + F.when(F.col("_reason").isNull() & breaks, F.lit(1 << bit)).otherwise(F.lit(0))
    return found
