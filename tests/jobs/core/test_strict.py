"""Strict JSON on real Spark: every malformed kind is refused by name with its bytes, every odd but right
spelling is read to the value."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, LongType, StringType, StructType

from jobs.contract.errors import BrokenStream
from jobs.contract.stream import Checks, EventTime, Files, Limits, Stream, Topic
from jobs.core.read.records import Subject, classify, message, require_known
from jobs.domain import facturas

pytestmark = pytest.mark.spark

STREAM = Stream("s", Files("json"), Files("json"))
GOOD: dict[str, Any] = {
    "InvoiceNumber": "1",
    "CreatedTime": 1,
    "TotalAmount": 9.5,
    "NumberOfItems": 1,
    "DeliveryAddress": {"City": "Vélez"},
    "InvoiceLineItems": [{"ItemCode": "a", "ItemPrice": 1.5, "ItemQty": 2, "TotalValue": 3.0}],
}
LINE = json.dumps(GOOD, ensure_ascii=False)


def with_(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes}, ensure_ascii=False)


def line(text: str) -> str:
    """GOOD with `text` in the place of its one line item."""
    return with_(InvoiceLineItems="@").replace('"@"', text)


def judged(
    spark: Any, records: list[bytes], subject: Subject | None = None, stream: Stream = STREAM
) -> list[Any]:
    frame = spark.createDataFrame(
        [(bytearray(r), f"f{i}") for i, r in enumerate(records)], "_raw binary, _origin string"
    )
    frame = frame.withColumn("_admitted", F.lit("2026-11-24 00:00:00").cast("timestamp"))
    subject = subject or Subject(facturas.SCHEMA, facturas.RULES)
    found = classify(frame, subject, stream)
    return found.select(
        "_reason", message(found, subject, stream).alias("message"), "_record", "_notes"
    ).collect()


BAD: dict[str, tuple[str | bytes, str]] = {
    "cut off": (LINE[:-1], "malformed"),
    "cut off in a string": (LINE[:20], "malformed"),
    "open array": (line("["), "malformed"),
    "no JSON": ("hola", "malformed"),
    "a comment": ("/* x */" + LINE, "malformed"),
    "a trailing comma": (LINE[:-1] + ",}", "malformed"),
    "a missing comma": (LINE.replace(", ", " ", 1), "malformed"),
    "single quotes": (LINE.replace('"', "'"), "malformed"),
    "a bare key": (LINE.replace('"InvoiceNumber"', "InvoiceNumber", 1), "malformed"),
    "a raw control character": (with_(InvoiceNumber="a@b").replace("@", "\x01"), "malformed"),
    "a raw tab": (with_(InvoiceNumber="a@b").replace("@", "\t"), "malformed"),
    "an unknown escape": (with_(InvoiceNumber="a@b").replace("@", "\\x"), "malformed"),
    "half an escape": (with_(InvoiceNumber="a@").replace("@", "\\u00e"), "malformed"),
    "a leading zero": (LINE.replace("9.5", "09.5"), "malformed"),
    "a plus sign": (LINE.replace("9.5", "+9.5"), "malformed"),
    "a dangling point": (LINE.replace("9.5", "9."), "malformed"),
    "a leading point": (LINE.replace("9.5", ".5"), "malformed"),
    "hexadecimal": (LINE.replace("9.5", "0x1f"), "malformed"),
    "NaN": (LINE.replace("9.5", "NaN"), "malformed"),
    "minus infinity": (LINE.replace("9.5", "-Infinity"), "malformed"),
    "a capital True": (LINE.replace("9.5", "True"), "malformed"),
    "None": (LINE.replace("9.5", "None"), "malformed"),
    "a comma for a point": (LINE.replace("9.5", "9,5"), "malformed"),
    "a byte that is no UTF-8": (LINE.encode().replace("é".encode(), b"\xe9"), "malformed"),
    "an overlong encoding": (LINE.encode().replace("é".encode(), b"\xc0\xaf"), "malformed"),
    "a surrogate in UTF-8": (LINE.encode().replace("é".encode(), b"\xed\xa0\x80"), "malformed"),
    "UTF-16": (LINE.encode("utf-16-le"), "malformed"),
    "a byte order mark behind it": (LINE + "\ufeff", "malformed"),
    "a byte order mark behind a blank": (" \ufeff" + LINE, "malformed"),
    "part of a byte order mark": (b"\xef\xbb" + LINE.encode(), "malformed"),
    "a second document behind a mark": (LINE + "\ufeff" + LINE, "malformed"),
    "UTF-16 with a mark": (LINE.encode("utf-16"), "malformed"),
    "a NUL behind": (LINE + "\x00", "malformed"),
    "a second document": (LINE + LINE, "more-than-one-document"),
    "a second document behind a blank": (LINE + " " + LINE, "more-than-one-document"),
    "trailing words": (LINE + " ok", "malformed"),
    "a trailing bracket": (LINE + "}", "malformed"),
    "a trailing number": (LINE + " 1", "more-than-one-document"),
    "an array of documents": (f"[{LINE}]", "not-an-object"),
    "a string": (json.dumps(LINE), "not-an-object"),
    "a number": ("42", "not-an-object"),
    "null": ("null", "not-an-object"),
    "true": ("true", "not-an-object"),
    "a duplicate key": (LINE[:-1] + ', "TotalAmount": 1.0}', "duplicate-key"),
    "a duplicate key, equal value": (LINE[:-1] + ', "TotalAmount": 9.5}', "duplicate-key"),
    "a duplicate key, null first": ('{"TotalAmount": null, ' + LINE[1:], "duplicate-key"),
    "a duplicate key below": (line('[{"ItemCode": "a", "ItemCode": "b"}]'), "duplicate-key"),
    "a duplicate key spelled by an escape": (LINE[:-1] + ', "Total\\u0041mount": 1.0}', "duplicate-key"),
    "a duplicate key nobody knows": (with_(x=1)[:-1] + ', "x": 1}', "duplicate-key"),
    "a duplicate key in a field nobody knows": (
        with_(x="@").replace('"@"', '[{"a": 1, "a": 1}]'),
        "duplicate-key",
    ),
    "a key in another case": (LINE.replace("TotalAmount", "totalAmount"), "wrong-case-key"),
    "a key in another case below": (line('[{"itemcode": "a"}]'), "wrong-case-key"),
    "a number as a string": (with_(TotalAmount="9.5"), "wrong-type"),
    "a string as a number": (with_(InvoiceNumber=1), "wrong-type"),
    "a boolean as a string": (with_(StoreID=True), "wrong-type"),
    "an object as a string": (with_(StoreID={"a": 1}), "wrong-type"),
    "an array as a string": (with_(StoreID=["a"]), "wrong-type"),
    "a fraction as a whole number": (with_(CreatedTime=1.5), "wrong-type"),
    "a whole number with a point": (with_(CreatedTime=1.0), "wrong-type"),
    "a whole number with an exponent": (LINE.replace('"CreatedTime": 1', '"CreatedTime": 1e3'), "wrong-type"),
    "a whole number too big": (with_(CreatedTime=2**63), "wrong-type"),
    "a whole number too small": (with_(CreatedTime=-(2**63) - 1), "wrong-type"),
    "an infinite number": (LINE.replace("9.5", "1e400"), "wrong-type"),
    "an object where lines are": (with_(InvoiceLineItems={"ItemCode": "a"}), "wrong-type"),
    "a string where lines are": (with_(InvoiceLineItems="[]"), "wrong-type"),
    "a string where a line is": (line('["a"]'), "wrong-type"),
    "an array where a line is": (line("[[]]"), "wrong-type"),
    "an array where an object is": (with_(DeliveryAddress=[]), "wrong-type"),
    "a wrong type below": (line('[{"ItemQty": "2"}]'), "wrong-type"),
    "a null line": (line("[null]"), "null-element"),
    "a null line behind a good one": (line('[{"ItemCode": "a"}, null]'), "null-element"),
    "half a surrogate pair": (with_(InvoiceNumber="@").replace("@", "\\ud83d"), "half-character"),
    "a surrogate pair the wrong way round": (
        with_(InvoiceNumber="@").replace("@", "\\ude00\\ud83d"),
        "half-character",
    ),
    "too deep": (with_(StoreID="@").replace('"@"', "[" * 90 + "]" * 90), "wrong-type"),
    "too deep in a field nobody knows": (with_(x="@").replace('"@"', "[" * 90 + "]" * 90), "beyond-limits"),
    "lines null": (with_(InvoiceLineItems=None), "no-line-items"),
    "lines empty": (with_(InvoiceLineItems=[]), "no-line-items"),
    "lines missing": (
        json.dumps({k: v for k, v in GOOD.items() if k != "InvoiceLineItems"}),
        "no-line-items",
    ),
    "no number": (with_(InvoiceNumber=None), "no-invoice-number"),
    "a count that is wrong": (with_(NumberOfItems=7), "items-count"),
    "an empty object": ("{}", "no-invoice-number"),
}


def test_every_malformed_kind_is_refused_by_name_among_good_records(spark: Any) -> None:
    records = [r.encode() if isinstance(r, str) else r for r, _ in BAD.values()]
    mixed = [part for record in records for part in (record, LINE.encode())]
    found = judged(spark, mixed)
    assert {name: row["_reason"] for name, row in zip(BAD, found[::2], strict=True)} == {
        name: reason for name, (_, reason) in BAD.items()
    }
    assert {row["_reason"] for row in found[1::2]} == {None}


GOOD_SPELLINGS: dict[str, tuple[str, Any]] = {
    "blanks everywhere": (json.dumps(GOOD, indent=None, separators=(" ,\t", " : ")) + " \r", GOOD),
    "other order": (json.dumps(dict(reversed(GOOD.items()))), GOOD),
    "all escaped": (json.dumps(GOOD, ensure_ascii=True), GOOD),
    "a slash escaped": (with_(StoreID="a/b").replace("/", "\\/"), {**GOOD, "StoreID": "a/b"}),
    "a pair of surrogates": (with_(StoreID="@").replace("@", "\\ud83d\\ude00"), {**GOOD, "StoreID": "😀"}),
    "a NUL escaped": (with_(StoreID="a\x00b"), {**GOOD, "StoreID": "a\x00b"}),
    "a key escaped": (LINE.replace("TotalAmount", "Total\\u0041mount"), GOOD),
    "an exponent": (LINE.replace("9.5", "95E-1"), GOOD),
    "a whole number for a double": (LINE.replace("9.5", "9"), {**GOOD, "TotalAmount": 9.0}),
    "minus zero": (LINE.replace("9.5", "-0"), {**GOOD, "TotalAmount": 0.0}),
    "the least number": (with_(CreatedTime=-(2**63)), {**GOOD, "CreatedTime": -(2**63)}),
    "a tiny number": (LINE.replace("9.5", "1e-400"), {**GOOD, "TotalAmount": 0.0}),
    "null for what may be": (
        with_(DeliveryAddress=None, TotalAmount=None),
        {**GOOD, "DeliveryAddress": None, "TotalAmount": None},
    ),
    "a byte order mark before it": ("\ufeff" + LINE, GOOD),
    "two of them, and blanks": ("\ufeff\ufeff " + LINE + " \r", GOOD),
    "a byte order mark in a value": (
        LINE.replace("Vélez", "\ufeffVélez\ufeff"),
        {**GOOD, "DeliveryAddress": {"City": "\ufeffVélez\ufeff"}},
    ),
    "a byte order mark escaped": (with_(StoreID="\ufeffa"), {**GOOD, "StoreID": "\ufeffa"}),
    "long": (with_(StoreID="x" * 1_000_000), {**GOOD, "StoreID": "x" * 1_000_000}),
}


def plain(row: Any) -> Any:
    """A Spark value as Python's json has it, without nulls and without the corrupt column."""
    if hasattr(row, "asDict"):
        return {k: plain(v) for k, v in row.asDict().items() if v is not None and k != "_corrupt_record"}
    return [plain(v) for v in row] if isinstance(row, list) else row


def test_odd_but_right_spellings_are_read_to_the_value(spark: Any) -> None:
    found = judged(spark, [text.encode() for text, _ in GOOD_SPELLINGS.values()])
    assert {name: row["_reason"] for name, row in zip(GOOD_SPELLINGS, found, strict=True)} == dict.fromkeys(
        GOOD_SPELLINGS
    )
    wanted = {
        name: {k: v for k, v in value.items() if v is not None} for name, (_, value) in GOOD_SPELLINGS.items()
    }
    assert {name: plain(row["_record"]) for name, row in zip(GOOD_SPELLINGS, found, strict=True)} == wanted


@pytest.mark.parametrize(("source", "blank"), [(Files("json"), "blank"), (Topic("t"), "empty-value")])
def test_nothing_but_byte_order_marks_and_blanks_is_blank(
    spark: Any, source: Files | Topic, blank: str
) -> None:
    """A value of a topic is read as a line of a file is: RFC 8259 lets a reader pass over a mark."""
    records = [text.encode() for text in ("\ufeff", "\ufeff \r", "\ufeff\ufeff", "\ufeff" + LINE)]
    rows = judged(spark, records, stream=replace(STREAM, source=source))
    assert [r["_reason"] for r in rows] == [blank, blank, blank, None]


def test_a_detail_names_the_field(spark: Any) -> None:
    rows = judged(
        spark,
        [("\ufeff" + with_(TotalAmount="x")).encode(), (LINE[:-1] + ', "TotalAmount": 1}').encode(), b"{"],
    )
    assert [(r["_reason"], r["message"]) for r in rows] == [
        ("wrong-type", "TotalAmount"),
        ("duplicate-key", "TotalAmount"),
        ("malformed", None),
    ]


@pytest.mark.parametrize(
    ("policy", "reason", "notes"), [("quiet", None, 0), ("report", None, 1), ("refuse", "unknown-field", 0)]
)
def test_unknown_fields_are_kept_quiet_about_reported_or_refused(
    spark: Any, policy: Any, reason: str | None, notes: int
) -> None:
    rows = judged(
        spark,
        [with_(New=1, Other={"a": [1]}).encode(), LINE.encode()],
        stream=replace(STREAM, checks=Checks(unknown_fields=policy)),
    )
    assert [(r["_reason"], r["_notes"]) for r in rows] == [(reason, notes), (None, 0)]
    if reason:
        assert rows[0]["message"] in ("New,Other", "Other,New")


def test_a_reported_rule_publishes_and_an_unknown_one_is_named(spark: Any) -> None:
    row = judged(
        spark,
        [with_(NumberOfItems=7).encode()],
        stream=replace(STREAM, checks=Checks(report=("items-count",))),
    )[0]
    assert (row["_reason"], row["_notes"]) == (None, 2)
    subject = Subject(facturas.SCHEMA, facturas.RULES)
    with pytest.raises(BrokenStream, match="'count'; the rules are no-invoice-number"):
        require_known(subject, replace(STREAM, checks=Checks(report=("count",))))
    with pytest.raises(BrokenStream, match="'When', which is not a column"):
        require_known(subject, replace(STREAM, checks=Checks(event_time=EventTime("When"))))


def test_a_record_past_the_limit_is_refused_unparsed(spark: Any) -> None:
    small = replace(STREAM, limits=Limits(record_bytes=len(LINE.encode())))
    rows = judged(spark, [LINE.encode(), LINE.encode() + b" ", b"[" * 2_000_000], stream=small)
    assert [r["_reason"] for r in rows] == [None, "too-long", "too-long"]


DAY_MS = 86_400_000
ADMITTED_MS = 1_795_478_400_000  # 2026-11-24 00:00 UTC


@pytest.mark.parametrize(
    ("created", "reason"),
    [
        (ADMITTED_MS, None),
        (ADMITTED_MS + DAY_MS, None),
        (ADMITTED_MS + DAY_MS + 1, "event-time"),
        (ADMITTED_MS - 2 * DAY_MS, None),
        (ADMITTED_MS - 2 * DAY_MS - 1, "event-time"),
        (4_102_444_800_000, "event-time"),
        (0, "event-time"),
        (None, "event-time"),
    ],
)
def test_event_times_far_from_the_admission_are_refused(
    spark: Any, created: int | None, reason: str | None
) -> None:
    guarded = replace(
        STREAM, checks=Checks(event_time=EventTime("CreatedTime", "ms", future_s=86_400, past_s=2 * 86_400))
    )
    assert judged(spark, [with_(CreatedTime=created).encode()], stream=guarded)[0]["_reason"] == reason


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def fits(value: Any) -> bool:
    """What TWO's schema takes, in Python's terms."""
    lines = value.get("lines")
    whole = (
        isinstance(value.get("n"), int | None)
        and not isinstance(value.get("n"), bool)
        and abs(value.get("n") or 0) < 2**63
    )
    return (
        isinstance(value.get("s"), str | None)
        and whole
        and (lines is None or (isinstance(lines, list) and all(isinstance(x, str | None) for x in lines)))
    )


TWO = Subject(
    StructType().add("s", StringType()).add("n", LongType()).add("lines", ArrayType(StringType())), {}
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"s": JSON, "n": JSON, "lines": JSON, "other": JSON}),
        min_size=20,
        max_size=60,
    )
)
def test_a_record_is_accepted_exactly_when_python_finds_it_right_and_then_with_its_values(
    spark: Any, documents: list[dict[str, Any]]
) -> None:
    texts = [json.dumps(document).encode() for document in documents]
    for document, row in zip(documents, judged(spark, texts, TWO), strict=True):
        half = "\\ud" in json.dumps(
            {k: document.get(k) for k in ("s", "n", "lines")}
        )  # half of a pair, or a pair: Python's text cannot tell
        assert (row["_reason"] is None) == fits(document) or half, document
        if row["_reason"] is None:
            assert (row["_record"].s, row["_record"].n, row["_record"].lines) == (
                document.get("s"),
                document.get("n"),
                document.get("lines"),
            )


def test_bytes_that_are_no_text_are_kept_as_they_came(home: Any) -> None:
    bad = b'{"InvoiceNumber":"\xff\xfe"}'
    folder = home.layout.entrada(home.stream.folder)
    folder.mkdir(parents=True)
    (folder / "x.json").write_bytes(LINE.encode() + b"\n" + bad + b"\n")
    home.put("y.json", LINE + "\n")
    home.run()
    (only,) = home.quarantined()
    assert (only["reason"], base64.b64decode(only["raw_base64"]), "raw" in only) == ("malformed", bad, False)
    assert len(home.lines()) == 2
