"""Strict JSON, type by type: what a column can hold, and the second opinion of Spark's own parser on how it
is spelled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from jobs.contract.errors import BrokenStream
from jobs.core.read.records import Subject, classify, require_known
from tests.jobs.core.test_strict import STREAM, judged

pytestmark = pytest.mark.spark

TYPES = StructType(
    [
        StructField("i", IntegerType()),
        StructField("b", BooleanType()),
        StructField("d", DateType()),
        StructField("t", TimestampType()),
        StructField("m", DecimalType(6, 2)),
        StructField("a", ArrayType(LongType())),
        StructField("k", MapType(StringType(), DoubleType())),
        StructField("n", StringType(), nullable=False),
    ]
)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (
            (
                '{"n":"x","i":2147483647,"b":false,"d":"2026-11-24","t":"2026-11-24T10:00:00Z","m":1234.5,'
                '"a":[1,null,3],"k":{"x":1,"y":null}}'
            ),
            None,
        ),
        ('{"n":"x","i":2147483648}', "wrong-type"),
        ('{"n":"x","b":"false"}', "wrong-type"),
        ('{"n":"x","b":0}', "wrong-type"),
        ('{"n":"x","d":"24/11/2026"}', "wrong-type"),
        ('{"n":"x","d":20261124}', "wrong-type"),
        ('{"n":"x","t":"hoy"}', "wrong-type"),
        ('{"n":"x","m":12345.5}', "wrong-type"),
        ('{"n":"x","m":1.234}', "wrong-type"),
        ('{"n":"x","m":1.20}', None),
        ('{"n":"x","m":0.00}', None),
        ('{"n":"x","a":[1.5]}', "wrong-type"),
        ('{"n":"x","k":{"x":1,"x":2}}', "duplicate-key"),
        ('{"n":"x","k":{"x":"1"}}', "wrong-type"),
        ('{"n":"x","m":1e99999999999}', "wrong-type"),
        ('{"n":"x","m":1e-99999999999}', "wrong-type"),
        ('{"n":"x","m":0e99}', None),
        ('{"n":"x","m":-9999.99}', None),
        ('{"n":"x","m":1234500e-2}', "wrong-type"),
        ('{"n":"x","m":"1"}', "wrong-type"),
        ('{"n":"x","k":{"\\ud83d":1}}', "malformed"),
        ('{"n":"x","k":{"é\\ud83d\\ude00":1}}', None),
        ('{"n":"x","k":[]}', "wrong-type"),
        ('{"n":"x","k":{"x":{"y":1}}}', "wrong-type"),
        ('{"n":"x","a":[[]]}', "wrong-type"),
        ('{"i":1}', "missing-field"),
        ('{"n":null}', "missing-field"),
    ],
)
def test_other_types_hold_what_they_can_hold(spark: Any, record: str, reason: str | None) -> None:
    assert judged(spark, [record.encode()], Subject(TYPES, {}))[0]["_reason"] == reason


SPELLED = StructType(
    [
        StructField("d", DateType()),
        StructField("t", TimestampType()),
        StructField("l", TimestampNTZType()),
        StructField("y", BinaryType()),
        StructField("f", FloatType()),
        StructField("h", ShortType()),
        StructField("b", ByteType()),
        StructField("m", DecimalType(38, 18)),
        StructField("k", ArrayType(MapType(StringType(), StructType().add("x", BooleanType())))),
    ]
)
SPELLINGS: dict[str, tuple[str, ...]] = {
    "d": (
        '"2026-11-24"',
        '"2024-02-29"',
        '"0001-01-01"',
        '"9999-12-31"',
        '"2026-02-29"',
        '"24.11.2026"',
        '""',
    ),
    "t": (
        '"2026-11-24T10:00:00Z"',
        '"2026-11-24 10:00:00.123456000+02:00"',
        '"2026-11-24T10:00"',
        '"2026-11-24T10:00:00.1-0330"',
        '""',
        '"hoy"',
    ),
    "l": ('"2026-11-24T10:00:00"', '"2026-11-24 10:00:00.1"', '"hoy"', '""'),
    "y": ('"YWI="', '"YQ=="', '""', '"@"', '"YWI"'),
    "f": ("1.5", "1e38", "0.1", "16777217"),
    "h": ("32767", "32768", "-32768"),
    "b": ("127", "-128"),
    "m": ("1.000000000000000001", "12345678901234567890", "1e19", "1e20", "-0.00"),
    "k": ('[{"a":{"x":true},"b":null},null,{}]', "[]"),
}


def test_what_is_accepted_is_what_sparks_own_parser_makes_of_it_and_all_else_it_cannot_read(
    spark: Any,
) -> None:
    records = [f'{{"{name}":{text}}}'.encode() for name, texts in SPELLINGS.items() for text in texts]
    frame = spark.createDataFrame(
        [(bytearray(record), record.decode()) for record in records], "_raw binary, _origin string"
    )
    found = classify(frame.withColumn("_admitted", F.current_timestamp()), Subject(SPELLED, {}), STREAM)
    theirs = F.from_json(F.col("_raw").cast("string"), SPELLED)
    for row in found.select(
        "_origin", "_reason", F.to_json("_record").alias("ours"), F.to_json(theirs).alias("theirs")
    ).collect():
        # a refused record is one whose column Spark leaves null
        assert (row["_reason"], row["ours"]) == (
            ("wrong-type", None) if row["theirs"] == "{}" else (None, row["theirs"])
        ), row


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (
            "d",
            (
                "2026-11",
                "2026",
                " 2026-11-24 ",
                "2026-1-4",
                "+12026-11-24",
                "12026-11-24",
                "0000-01-01",
                "2026-11-24T10",
                "2026-11-24 basura",
                "45986",
                "-2026-11-24",
            ),
        ),
        (
            "t",
            (
                "2026-11-24",
                "10:00",
                "T10:00",
                "2026-11-24 24:00",
                "2026-11-24 10:00:60",
                "now",
                "epoch",
                "2026-11-24 10:00:00 Europe/Madrid",
                "2026-11-24T10",
                "2026-11-24 10:00:00.123456789Z",
                "2026-11-24 10:00:00.",
                "2026-11-24 10:00:00Zx",
                "2026-11-24 10:00:00+19:00",
                "2026-11-24 10:00:00 +01:00",
                "2026-11-24  10:00",
                "2026-11-24T1:00",
                "1764064800",
                "2026-11-24T10:00:00z",
                "2026-02-30T10:00",
            ),
        ),
        ("l", ("2026-11-24T10:00:00Z", "2026-11-24", "10:00", "2026-11-24T10:00:00+00:00")),
    ],
)
def test_dates_and_times_are_read_to_the_letter_where_spark_guesses(
    spark: Any, column: str, texts: tuple[str, ...]
) -> None:
    found = judged(spark, [f'{{"{column}":"{text}"}}'.encode() for text in texts], Subject(SPELLED, {}))
    assert [row["_reason"] for row in found] == ["wrong-type"] * len(texts)
    assert all(
        row["message"].startswith(f'{column}: "{text}" is not of type ')
        for row, text in zip(found, texts, strict=True)
    )


def test_a_row_says_how_dates_and_times_of_json_are_spelled_and_a_refusal_names_the_option(
    spark: Any,
) -> None:
    record = b'{"d":"25/11/2026","t":"25/11/2026 10:30"}'
    (told,) = judged(spark, [record], Subject(SPELLED, {}))
    assert told["message"] == (
        'd: "25/11/2026" is not of type date (YYYY-MM-DD) -> date_format="dd/MM/yyyy" in the row would '
        "read it"
    )
    source = replace(
        STREAM.source, date_format="dd/MM/yyyy", timestamp_format="dd/MM/yyyy HH:mm", timezone="Europe/Madrid"
    )
    (read,) = judged(spark, [record], Subject(SPELLED, {}), replace(STREAM, source=source))
    assert (read["_reason"], str(read["_record"]["d"]), read["_record"]["t"].timestamp()) == (
        None,
        "2026-11-25",
        1795599000.0,
    )


def test_numbers_that_sparks_parser_wraps_or_makes_infinite_are_refused(spark: Any) -> None:
    found = judged(
        spark,
        [b'{"f":3.4028235e38}', b'{"f":1e39}', b'{"f":"Infinity"}', b'{"b":128}', b'{"b":-129}'],
        Subject(SPELLED, {}),
    )
    assert [row["_reason"] for row in found] == [None, *["wrong-type"] * 4]


def test_a_type_that_json_cannot_be_read_to_is_named_before_anything_runs() -> None:
    odd = StructType().add("a", ArrayType(StructType().add("b", DayTimeIntervalType())))
    with pytest.raises(BrokenStream, match="column 'a' has a type that cannot be read from JSON"):
        require_known(Subject(odd, {}), STREAM)
    require_known(Subject(SPELLED, {}), STREAM)
