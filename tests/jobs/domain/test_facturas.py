"""The invoice transforms against the course's own text: the invoice it pastes, the documents it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.domain.facturas import RULES, SCHEMA, lineas, notificaciones

pytestmark = pytest.mark.spark

HEAD = '"InvoiceNumber":"51402977","CreatedTime":1595688900348,"StoreID":"STR7188","PosID":"POS956"'
COURSE_ITEMS = (
    '{"ItemCode":"458","ItemDescription":"Wine glass","ItemPrice":1644.0,"ItemQty":2,"TotalValue":3288.0}',
    (
        '{"ItemCode":"283","ItemDescription":"Portable Lamps","ItemPrice":2236.0,"ItemQty":1,'
        '"TotalValue":2236.0}'
    ),
    (
        '{"ItemCode":"498","ItemDescription":"Carving knifes","ItemPrice":1424.0,"ItemQty":2,'
        '"TotalValue":2848.0}'
    ),
    (
        '{"ItemCode":"523","ItemDescription":"Oil-lamp clock","ItemPrice":1371.0,"ItemQty":2,'
        '"TotalValue":2742.0}'
    ),
)
COURSE = (
    f'{{{HEAD},"CashierID":"OAS134","CustomerType":"PRIME","CustomerCardNo":"4629185211","TotalAmount":11114.0,"NumberOfItems":4,'
    '"PaymentMethod":"CARD","TaxableAmount":11114.0,"CGST":277.85,"SGST":277.85,"CESS":13.8925,'
    '"DeliveryType":"TAKEAWAY",'
    f'"InvoiceLineItems":[{",".join(COURSE_ITEMS)}]}}'
)
COURSE_LINES = [
    f'{{{HEAD},"CustomerType":"PRIME","PaymentMethod":"CARD","DeliveryType":"TAKEAWAY",{item[1:]}'
    for item in COURSE_ITEMS
]
HOME = (
    '{"InvoiceNumber":"8320594","CreatedTime":1595688902254,"StoreID":"STR7188","PosID":"POS825",'
    '"CashierID":"OAS329",'
    '"CustomerType":"PRIME","CustomerCardNo":"7051101351","TotalAmount":567.0,"NumberOfItems":1,'
    '"PaymentMethod":"CASH","TaxableAmount":567.0,'
    '"CGST":14.175,"SGST":14.175,"CESS":0.70875,"DeliveryType":"HOME-DELIVERY",'
    '"DeliveryAddress":{"AddressLine":"2465 Laoreet, Street",'
    '"City":"Dehri","State":"Bihar","PinCode":"637308","ContactNumber":"2662305605"},'
    '"InvoiceLineItems":[{"ItemCode":"658","ItemDescription":"Chinois","ItemPrice":567.0,"ItemQty":1,'
    '"TotalValue":567.0}]}'
)
COLUMNS = [
    "InvoiceNumber",
    "CreatedTime",
    "StoreID",
    "PosID",
    "CustomerType",
    "PaymentMethod",
    "DeliveryType",
    "City",
    "State",
    "PinCode",
    "ItemCode",
    "ItemDescription",
    "ItemPrice",
    "ItemQty",
    "TotalValue",
]


def parsed(spark: SparkSession, *documents: str) -> DataFrame:
    """Documents as the sources hand them over: text, one from_json with options, the struct's columns."""
    text = spark.createDataFrame([(d,) for d in documents], "text string")
    return text.select(F.from_json("text", SCHEMA, {"allowSingleQuotes": "false"}).alias("record")).select(
        "record.*"
    )


def written(frame: DataFrame, folder: Path) -> list[str]:
    frame.write.json(str(folder))
    return [line for part in sorted(folder.glob("part-*")) for line in part.read_text().splitlines()]


def test_the_course_invoice_becomes_the_course_documents_byte_for_byte(
    spark: SparkSession, tmp_path: Path
) -> None:
    assert written(lineas(parsed(spark, COURSE)).coalesce(1), tmp_path / "out") == COURSE_LINES


def test_the_course_invoice_read_by_the_json_file_source_gives_the_same_bytes(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "in.json").write_text(COURSE + "\n")
    frame = spark.read.schema(SCHEMA).json(str(tmp_path / "in.json"))
    assert written(lineas(frame), tmp_path / "out") == COURSE_LINES


def test_the_course_notification_is_equal_byte_for_byte(spark: SparkSession) -> None:
    other = json.dumps(
        {
            **json.loads(COURSE),
            "InvoiceNumber": "93647513",
            "CustomerCardNo": "2599848717",
            "TotalAmount": 3374.0,
        }
    )
    frame = notificaciones(parsed(spark, COURSE, other))
    rows = frame.select("InvoiceNumber", F.to_json(F.struct(*frame.columns[1:])).alias("value")).collect()
    assert [(r.InvoiceNumber, r.value) for r in rows] == [
        ("51402977", '{"CustomerCardNo":"4629185211","TotalAmount":11114.0,"EarnedLoyaltyPoints":2222.8}'),
        (
            "93647513",
            '{"CustomerCardNo":"2599848717","TotalAmount":3374.0,"EarnedLoyaltyPoints":674.8000000000001}',
        ),
    ]


def test_a_delivered_invoice_carries_city_state_and_pin_code_behind_the_delivery_type(
    spark: SparkSession,
) -> None:
    frame = lineas(parsed(spark, HOME))
    assert frame.columns == COLUMNS
    assert [tuple(r) for r in frame.collect()] == [
        (
            "8320594",
            1595688902254,
            "STR7188",
            "POS825",
            "PRIME",
            "CASH",
            "HOME-DELIVERY",
            "Dehri",
            "Bihar",
            "637308",
            "658",
            "Chinois",
            567.0,
            1,
            567.0,
        )
    ]


def test_the_schema_is_what_spark_infers_from_the_course_documents(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "both.json").write_text(f"{COURSE}\n{HOME}\n")
    inferred = spark.read.json(str(tmp_path / "both.json")).schema
    assert by_name(SCHEMA.jsonValue()) == by_name(
        inferred.jsonValue()
    )  # but for null lines, which the schema refuses
    assert SCHEMA.names == list(json.loads(HOME))


def by_name(value: Any) -> Any:
    """Fields of every level sorted by name: inference sorts, the documents do not."""
    if isinstance(value, dict):
        known = {k: v for k, v in value.items() if k != "containsNull"}
        return {
            k: sorted(map(by_name, v), key=lambda f: str(f["name"])) if k == "fields" else by_name(v)
            for k, v in known.items()
        }
    return value


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, []),
        ({"InvoiceNumber": None}, ["no-invoice-number"]),
        ({"InvoiceLineItems": None}, ["no-line-items"]),
        ({"InvoiceLineItems": []}, ["no-line-items"]),
        ({"InvoiceNumber": None, "InvoiceLineItems": []}, ["no-invoice-number", "no-line-items"]),
        ({"NumberOfItems": None, "DeliveryAddress": None}, []),  # most have no address
        ({"NumberOfItems": 1}, ["items-count"]),  # real invoices miscount their lines
    ],
)
def test_rules_are_true_for_bad_records_and_false_never_null_for_good_ones(
    spark: SparkSession, change: dict[str, Any], broken: list[str]
) -> None:
    frame = parsed(
        spark,
        json.dumps(
            {**json.loads(COURSE), "NumberOfItems": len(json.loads(COURSE)["InvoiceLineItems"]), **change}
        ),
    )
    row = frame.select(*(F.expr(sql).alias(code) for code, sql in RULES.items())).collect()[0].asDict()
    assert row == {code: code in broken for code in RULES}


def test_every_record_that_breaks_no_rule_gives_at_least_one_line(spark: SparkSession) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"InvoiceLineItems": None},
        {"InvoiceLineItems": []},
        {"InvoiceLineItems": [None]},
    ]
    documents = [
        json.dumps({**json.loads(COURSE), "InvoiceNumber": str(n), **c}) for n, c in enumerate(changes)
    ]
    frame = parsed(spark, *documents)
    refused = " OR ".join(f"({sql})" for code, sql in RULES.items() if code != "items-count")
    kept = {r.InvoiceNumber for r in frame.where(f"NOT ({refused})").collect()}
    assert {r.InvoiceNumber for r in lineas(frame).collect()} == kept == {"0", "3"}


@pytest.mark.parametrize("transform", [lineas, notificaciones])
def test_the_plan_parses_each_document_once(spark: SparkSession, transform: Any) -> None:
    plan = transform(parsed(spark, COURSE))._jdf.queryExecution().executedPlan().toString()
    assert plan.count("from_json(") == 1, plan
