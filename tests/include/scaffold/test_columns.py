"""The --columns text."""

from __future__ import annotations

import pytest

from include.scaffold import columns
from include.scaffold.columns import Column
from jobs.contract.errors import UsageError


def test_names_and_types_are_read_in_order_with_spaces_and_decimals() -> None:
    assert columns.parse("id:string, n : BIGINT,price:decimal(10, 2),") == (
        Column("id", "StringType"),
        Column("n", "LongType"),
        Column("price", "DecimalType", (10, 2)),
    )


def test_every_type_shows_itself_as_spark_writes_it() -> None:
    words = "string,bigint,int,double,boolean,date,timestamp,decimal(38,0)"
    text = ",".join(
        f"c{n}:{word}" for n, word in enumerate(words.replace("38,0", "38;0").split(","))
    ).replace(";", ",")
    found = columns.parse(text)
    assert ",".join(column.shown for column in found) == words
    assert [column.spark for column in found] == [
        "StringType()",
        "LongType()",
        "IntegerType()",
        "DoubleType()",
        "BooleanType()",
        "DateType()",
        "TimestampType()",
        "DecimalType(38, 0)",
    ]


def test_samples_of_a_decimal_fit_its_digits() -> None:
    assert [Column("d", "DecimalType", digits).source(2) for digits in ((1, 1), (3, 0), (10, 2))] == [
        'Decimal("0.3")',
        'Decimal("3")',
        'Decimal("0.03")',
    ]
    assert [
        Column("d", "DecimalType", (10, 2)).text(0),
        Column("b", "BooleanType").text(1),
        Column("s", "StringType").text(0),
    ] == [
        "0.01",
        "false",
        "uno",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "at least one column is needed"),
        (" , ", "at least one column is needed"),
        ("id", "cannot be read from 'id' on: NAME:TYPE, names of a-z, A-Z, digits and _"),
        (
            "id:string;n:int",
            "cannot be read from 'id:string;n:int' on: NAME:TYPE, names of a-z, A-Z, digits and _",
        ),
        (
            "a:string,_b:int",
            "cannot be read from '_b:int' on: NAME:TYPE, names of a-z, A-Z, digits and _",
        ),
        (
            "a:string,a`b:int",
            "cannot be read from 'a`b:int' on: NAME:TYPE, names of a-z, A-Z, digits and _",
        ),
        (
            "a:text",
            "a has the unknown type 'text': string, bigint, long, int, integer, double, boolean, date, "
            "timestamp, decimal(10,2)",
        ),
        (
            "id:string,año:int",
            "cannot be read from 'año:int' on: NAME:TYPE, names of a-z, A-Z, digits and _",
        ),
        ("id:string,ID:int", "id is there twice (Spark ignores case in names)"),
        ("d:decimal", "d: a decimal is written decimal(10,2), other types without brackets"),
        ("d:int(3,1)", "d: a decimal is written decimal(10,2), other types without brackets"),
        ("d:decimal(2,3)", "d: decimal(2,3): 1 to 38 digits, and no more after the point"),
        ("d:decimal(39,0)", "d: decimal(39,0): 1 to 38 digits, and no more after the point"),
    ],
)
def test_what_cannot_be_a_column_is_refused_by_name(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        columns.parse(text)
    assert (caught.value.what, caught.value.where) == (what, "--columns")


def test_a_mistyped_type_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"decimal\(10,2\)\. Did you mean 'string'\? \["):
        columns.parse("a:strng")
