"""Strict reading against a second opinion: thousands of invoices that were tampered with are either the exact
row or refused, never in between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql import functions as F

from include.samples import facturas as samples
from jobs.core.read.records import Subject, classify
from jobs.domain import facturas
from tests.jobs.core import strict_reference
from tests.jobs.core.mutations import corpus
from tests.jobs.core.test_strict import GOOD, STREAM

pytestmark = pytest.mark.spark

RECORDS = 4_000
ODD = {
    **GOOD,
    "StoreID": 'a/b\\"\n\t\x7f é ü \u2028 😀 \ufeff',
    "InvoiceLineItems": [{}, {"ItemDescription": "ñandú", "ItemQty": -1}],
}


def documents() -> list[str]:
    made = samples.generate(40, 7, 1_700_000_000_000).documents
    return [*made, *[json.dumps(ODD, ensure_ascii=False), json.dumps(ODD)] * 5]


def reference(record: bytes) -> dict[str, Any] | None:
    try:
        return strict_reference.row(record, facturas.SCHEMA)
    except strict_reference.Refused:
        return None


@pytest.mark.parametrize("seed", [1, 2])
def test_a_record_that_was_tampered_with_is_its_exact_row_or_refused(spark: Any, seed: int) -> None:
    records = list(corpus(documents(), seed, RECORDS))
    frame = spark.createDataFrame(
        [(bytearray(record), i) for i, record in enumerate(records)], "_raw binary, _origin long"
    )
    found = classify(
        frame.withColumn("_admitted", F.current_timestamp()), Subject(facturas.SCHEMA, {}), STREAM
    )
    # Spark's own parser is the third opinion
    theirs = F.from_json(F.regexp_replace(F.col("_raw").cast("string"), "^\ufeff+", ""), facturas.SCHEMA)
    rows = (
        found.select("_origin", "_reason", "_record", F.col("_record").eqNullSafe(theirs).alias("same"))
        .orderBy("_origin")
        .collect()
    )
    accepted = 0
    for record, row in zip(records, rows, strict=True):
        wanted = reference(record)
        assert (row["_record"] and row["_record"].asDict(recursive=True)) == wanted, (
            row["_reason"],
            record[:2_000],
        )
        assert (row["_reason"] is None) == (wanted is not None), (row["_reason"], record[:2_000])
        assert wanted is None or row["same"], record[:2_000]
        accepted += wanted is not None
    assert 0.2 < accepted / RECORDS < 0.8, accepted  # else the corpus proves little
