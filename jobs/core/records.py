"""Raw record -> typed record or a reason why not. Stateless; every raw record gets exactly one of the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from jobs.contract.errors import BrokenStream
from jobs.contract.stream import Files, Stream
from jobs.core import strict

# Lines that are no records: counted, neither accepted nor quarantined.
BLANK, HEADER = "blank", "header"
UNKNOWN_FIELD, EVENT_TIME = "unknown-field", "event-time"
_CORRUPT = "_corrupt_record"  # of csv


@dataclass(frozen=True)
class Subject:
    """What is true of the data. `rules`: code -> SQL condition over the schema's columns that is true for a record which breaks it."""

    schema: StructType
    rules: Mapping[str, str]


@dataclass(frozen=True)
class CsvHeads:
    """What the first lines of the batch's csv files are. `headers`: lines that name the columns in their order; `wrong`: files (as in
    _origin) whose first line names them in another order, so that every value would stand under a wrong name."""

    headers: frozenset[str] = frozenset()
    wrong: frozenset[str] = frozenset()


def require_known(subject: Subject, stream: Stream) -> None:
    """Raises BrokenStream when the row names a rule or a column that its domain does not have."""
    checks = stream.checks
    if stream.source.format == "json" and (name := strict.unreadable(subject.schema)):
        raise BrokenStream(f"column {name!r} is of a type that JSON is not read to", stream.name)
    unknown = [code for code in checks.report if code not in subject.rules]
    if unknown:
        raise BrokenStream(f"checks.report names {unknown[0]!r}; the rules are {', '.join(subject.rules) or 'none'}", stream.name)
    if checks.event_time and checks.event_time.column not in subject.schema.names:
        raise BrokenStream(f"checks.event_time names {checks.event_time.column!r}, which is no column of the schema", stream.name)


def notes(subject: Subject, stream: Stream) -> tuple[str, ...]:
    """Codes that are published and only reported, in the order of their bits in _notes."""
    unknown = (UNKNOWN_FIELD,) if stream.checks.unknown_fields == "report" and stream.source.format == "json" else ()
    return (*unknown, *(code for code in subject.rules if code in stream.checks.report))


def classify(frame: DataFrame, subject: Subject, stream: Stream, heads: CsvHeads | None = None) -> DataFrame:
    """(_raw: binary, _origin, _admitted) -> (_raw, _origin, _verdict: long, _record: struct, _reason: string or null, _notes: bit mask).

    `_reason` null means accepted. `heads` is for csv.
    """
    if stream.source.format == "json":
        parsed, reason = _read_json(frame, subject, stream), _reason_json(stream)
    else:
        parsed, reason = _read_csv(frame, subject, stream), _reason_csv(subject, stream, heads or CsvHeads())
    # the rules' SQL names the schema's columns, so they stand beside the record for this one step
    judged = parsed.select("*", "_record.*").withColumn("_reason", _by_rules(reason, subject, stream))
    return judged.select("_raw", "_origin", "_verdict", "_record", "_reason", _notes(subject, stream).alias("_notes"))


def business(classified: DataFrame, subject: Subject, *more: Column) -> DataFrame:
    """Accepted records with the schema's columns at the top, and `more` behind them."""
    fields = [F.col(f"_record.`{name}`").alias(name) for name in subject.schema.names]
    return classified.where("_reason is null").select(*fields, *more)


def is_refused() -> Column:
    """True for a record that goes to quarantine."""
    reason = F.col("_reason")
    return F.coalesce(reason.isNotNull() & ~reason.isin(BLANK, HEADER), F.lit(False))


def message(classified: DataFrame, subject: Subject, stream: Stream) -> Column:
    """What a person reads beside the reason code of a refused record; null where the code says it all."""
    if stream.source.format != "json":
        return F.lit(None).cast("string")
    return F.when(strict.is_refused() | (F.col("_reason") == UNKNOWN_FIELD), strict.detail(classified, subject.schema))


def _text() -> Column:
    return F.col("_raw").cast("string")


def _blank(stream: Stream) -> str:
    """What nothing but blanks is."""
    return BLANK if isinstance(stream.source, Files) else "empty-value"


def _read_json(frame: DataFrame, subject: Subject, stream: Stream) -> DataFrame:
    checked = frame.withColumn("_read", strict.read(frame, subject.schema, stream.limits.record_bytes, _blank(stream)))
    return checked.select("_raw", "_origin", "_admitted", F.col("_read.verdict").alias("_verdict"), F.col("_read.record").alias("_record"))


def _read_csv(frame: DataFrame, subject: Subject, stream: Stream) -> DataFrame:
    # all that needs the raw bytes comes before the parsing, so that they are carried no further
    return frame.withColumn("_verdict", _verdict(stream)).withColumn("_record", _parse_csv(subject.schema, stream))


def _verdict(stream: Stream) -> Column:
    """A refusal for what needs no parsing, else 0: of a line of csv what jvm/src/caudal/Bytes.java says of JSON."""
    # a trim at both ends would walk the whole record
    blank = F.ltrim(_text(), F.lit(" \t\r\x0b\x0c")) == ""
    too_long = F.octet_length("_raw") > stream.limits.record_bytes
    found = F.when(F.col("_raw").isNull(), strict.refusal("null-value")).when(too_long, strict.refusal("too-long"))
    found = found.when(blank, strict.refusal(_blank(stream))).when(~F.is_valid_utf8(_text()), strict.refusal("malformed"))
    return found.otherwise(F.lit(0).cast("long"))


def _refused() -> Column:
    return F.when(strict.is_refused(), strict.code())


def _reason_json(stream: Stream) -> Column:
    reason = _refused()
    return reason.when(strict.has_unknown(), UNKNOWN_FIELD) if stream.checks.unknown_fields == "refuse" else reason


def _parse_csv(schema: StructType, stream: Stream) -> Column:
    """RFC 4180: a quote inside a field is doubled. Spark's own default is a backslash."""
    separator = stream.source.separator if isinstance(stream.source, Files) else ","
    with_corrupt = StructType([*schema.fields, StructField(_CORRUPT, StringType())])
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _CORRUPT, "sep": separator, "escape": '"'}
    return F.from_csv(F.when(~strict.is_refused(), _line()), with_corrupt.simpleString(), options)


def _line() -> Column:
    return F.expr(r"trim(TRAILING '\r' FROM cast(_raw AS string))")


def _reason_csv(subject: Subject, stream: Stream, heads: CsvHeads) -> Column:
    reason, source = _refused(), stream.source
    if isinstance(source, Files) and source.header:
        reason = reason.when(F.lower(_line()) == source.separator.join(subject.schema.names).lower(), HEADER)
    if heads.headers:
        reason = reason.when(_line().isin(*heads.headers), HEADER)
    if heads.wrong:
        reason = reason.when(F.col("_origin").isin(*heads.wrong), "wrong-header")
    return reason.when(F.col("_record").isNull() | F.col(f"_record.{_CORRUPT}").isNotNull(), "malformed")


def _by_rules(reason: Column, subject: Subject, stream: Stream) -> Column:
    for code, condition in subject.rules.items():
        if code not in stream.checks.report:
            reason = reason.when(F.expr(condition), code)
    return reason.when(_out_of_time(stream), EVENT_TIME) if stream.checks.event_time else reason


def _out_of_time(stream: Stream) -> Column:
    """Event time outside [admitted - past_s, admitted + future_s]: one such event would move a watermark, and all later ones be dropped."""
    asked = stream.checks.event_time
    assert asked is not None  # noqa: S101 - the caller's condition
    column = F.col(f"`{asked.column}`")
    seconds = {"ms": column / 1000.0, "s": column.cast("double"), "timestamp": column.cast("timestamp").cast("double")}[asked.unit]
    ahead = seconds - F.col("_admitted").cast("double")
    return column.isNull() | (ahead > asked.future_s) | (ahead < -asked.past_s if asked.past_s is not None else F.lit(False))


def _notes(subject: Subject, stream: Stream) -> Column:
    found = F.lit(0)
    for bit, code in enumerate(notes(subject, stream)):
        breaks = strict.has_unknown() if code == UNKNOWN_FIELD else F.expr(subject.rules[code])
        found = found + F.when(F.col("_reason").isNull() & breaks, F.lit(1 << bit)).otherwise(F.lit(0))
    return found
