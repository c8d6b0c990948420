"""Strict csv on real Spark: each field by a grammar of ours, against plain Python's; quotes by RFC 4180;
columns by their header."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructType

from jobs.contract.errors import BrokenStream
from jobs.contract.stream import Files, Stream, Topic
from jobs.core.read import csv_headers
from jobs.core.read.records import Subject, classify, message, require_known
from tests.jobs.contract.records_cases import CASES
from tests.jobs.core import csv_reference as reference
from tests.jobs.core.csv_reference import REFUSED

pytestmark = pytest.mark.spark

# column -> how plain Python reads it, and its value from Spark as Python's reading gives it
TYPES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "b": ("tinyint", reference.whole(8)),
    "h": ("smallint", reference.whole(16)),
    "i": ("int", reference.whole(32)),
    "l": ("bigint", reference.whole(64)),
    "m": ("decimal(10,2)", reference.decimal(10, 2)),
    "n": ("decimal(38,18)", reference.decimal(38, 18)),
    "d": ("double", reference.double),
    "f": ("float", reference.single),
    "o": ("boolean", reference.boolean),
    "y": ("date", reference.day),
    "t": ("timestamp", reference.time),
    "w": ("timestamp_ntz", lambda text: reference.time(text, zoned=False)),
}
SPELLINGS = {
    *[
        "0",
        "-0",
        "+7",
        "007",
        "127",
        "128",
        "-128",
        "-129",
        "32768",
        "2147483647",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
    ],
    *[
        "12.50",
        "12,50",
        "1.234,56",
        "1,234.56",
        "1.005",
        "1.2300",
        "99999999.99",
        "100000000",
        ".5",
        "5.",
        ".",
        ",",
        "-",
        "+",
        "-.5",
        "1e3",
        "1E-2",
        "1e",
        "1e+",
        "e5",
        "1e400",
        "1e-400",
        "0e-400",
        "-1e39",
        "3.4028235e38",
    ],
    *[
        "12d",
        "12f",
        "12L",
        "0x1p3",
        "0x10",
        "1_000",
        "NaN",
        "nan",
        "Inf",
        "Infinity",
        "-Infinity",
        "∞",
        "١٢",
        "１２",
        "1.7976931348623157e308",
        "0.1000000000000000055",
        "12%",
        "€12",
        "1,2,3,4",
        "--1",
        "1-",
    ],
    *["true", "TRUE", "False", "t", "1", "yes", "sí", "verdadero"],
    *[
        "2026-11-25",
        "2024-02-29",
        "2026-02-29",
        "2026-13-01",
        "2026-00-10",
        "45986",
        "2026",
        "2026-11",
        "20261125",
        "25/11/2026",
        "0000-01-01",
        "9999-12-31",
        "12026-01-01",
        "-0001-01-01",
    ],
    *[
        "2026-11-25T10:00",
        "2026-11-25T10:00:00.123456Z",
        "2026-11-25T10:00:00.1234567Z",
        "2026-11-25T10:00:00.123456000Z",
        "2026-11-25T24:00",
        "10:00",
        "T10:00",
    ],
    *[
        "2026-11-25T10:00:00+01:00",
        "2026-11-25T10:00:00+0130",
        "2026-11-25T10:00:00-03",
        "2026-11-25T10:00:00+18:00",
        "2026-11-25T10:00:00+18:01",
    ],
    "2026-11-25 10:00",
    "2026-11-25 10:00:00 UTC",
    "2026-11-25 basura",
    " 1",
    "1 ",
    "\t1",
    "1\u00a0",
    "now",
    "today",
    "null",
    "NULL",
    "N/A",
    "-",
    "é",
    "\x00",
    "1\x00",
}


def raw(spark: Any, *records: bytes | str, origin: str = "f") -> Any:
    rows = [(bytearray(one.encode() if isinstance(one, str) else one), origin) for one in records]
    return spark.createDataFrame(rows, "_raw binary, _origin string").withColumn(
        "_admitted", F.current_timestamp()
    )


def stream(**options: Any) -> Stream:
    return Stream("s", Files("csv", **{"separator": ";", "header": False, **options}), Files("json"))


def subject(ddl: str) -> Subject:
    return Subject(StructType.fromDDL(ddl), {})


def judged(
    frame: Any, about: Subject, row: Stream, layouts: csv_headers.HeaderLayouts | None = None
) -> list[Any]:
    found = classify(frame, about, row, layouts)
    columns = [F.col(f"_record.`{name}`").alias(name) for name in about.schema.names]
    return found.select(
        "_reason", message(found, about, row, layouts).alias("message"), F.struct(*columns).alias("row")
    ).collect()


def compared(spark: Any, texts: list[str], column: str) -> None:
    """Each text alone in a column of the type, against plain Python."""
    kind, read = TYPES[column]
    found = classify(raw(spark, *(f"{text};x" for text in texts)), subject(f"v {kind}, z string"), stream())
    value = F.col("_record.v")
    if kind.startswith("timestamp"):
        value = F.unix_micros(value.cast("timestamp"))
    for text, row in zip(texts, found.select("_reason", value.alias("v")).collect(), strict=True):
        expected = read(text)
        assert (row["_reason"], row["v"]) == (
            ("malformed", None) if expected is REFUSED else (None, expected)
        ), (text, kind)


@pytest.mark.parametrize("column", TYPES)
def test_a_field_is_read_to_the_letter_or_refused(spark: Any, column: str) -> None:
    compared(spark, sorted(SPELLINGS), column)


_TEXTS = st.one_of(
    st.from_regex(r"[+-]?[0-9]{0,21}[.,]?[0-9]{0,20}([eE][+-]?[0-9]{0,3})?", fullmatch=True),
    st.from_regex(
        r"[0-9]{3,5}-[0-9]{1,2}-[0-9]{2}"
        r"([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,10})?)?(Z|[+-][01][0-9](:?[0-6][0-9])?)?)?",
        fullmatch=True,
    ),
    st.text(st.sampled_from("0123456789+-.,:TZeE dfx"), max_size=12),
).filter(bool)


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(st.lists(_TEXTS, min_size=60, max_size=120), st.data())
def test_what_no_list_holds_is_read_alike(spark: Any, texts: list[str], data: st.DataObject) -> None:
    compared(spark, texts, data.draw(st.sampled_from(sorted(TYPES))))


def test_a_spanish_csv_is_read_right_by_options_of_the_row_and_a_refusal_names_them(spark: Any) -> None:
    about = subject("fecha date, a timestamp, importe decimal(10,2), peso double")
    record = "25/11/2026;25/11/2026 9:30;1234,5;-0,25"
    told = judged(
        raw(spark, record, "2026-11-25;25/11/2026 9:30;1;1", "2026-11-25;2026-11-25 09:30;12,50;1"),
        about,
        stream(),
    )
    assert [row["message"] for row in told] == [
        (
            'fecha: "25/11/2026" is not of type date (YYYY-MM-DD) -> date_format="dd/MM/yyyy" in the row '
            "would read it"
        ),
        (
            'a: "25/11/2026 9:30" is not of type timestamp (ISO 8601, zone UTC) -> '
            'timestamp_format="dd/MM/yyyy H:mm" in the row would read it'
        ),
        'importe: "12,50" is not of type decimal(10,2) -> decimal="," in the row reads it',
    ]
    row = stream(
        decimal=",", date_format="dd/MM/yyyy", timestamp_format="dd/MM/yyyy H:mm", timezone="Europe/Madrid"
    )
    (read, thousands, point) = judged(
        raw(spark, record, "25/11/2026;25/11/2026 9:30;1.234,56;1", "25/11/2026;25/11/2026 9:30;1;2.5"),
        about,
        row,
    )
    assert read["_reason"] is None
    assert (str(read["row"]["fecha"]), str(read["row"]["importe"]), read["row"]["peso"]) == (
        "2026-11-25",
        "1234.50",
        -0.25,
    )
    assert read["row"]["a"].timestamp() == 1795595400.0  # 08:30 UTC
    assert thousands["message"] == 'importe: "1.234,56" is not of type decimal(10,2) (decimal mark ,)'
    assert point["message"].endswith(
        'is not of type double (decimal mark ,) -> decimal="." in the row reads it'
    )


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"date_format": "dd/MM/yyyy"}, "1/2/2026", REFUSED),
        ({"date_format": "d/M/yyyy"}, "1/2/2026", "2026-02-01"),
        ({"date_format": "d/M/yyyy"}, "31/2/2026", REFUSED),
        ({"date_format": "dd/MM/yy"}, "01/02/26", "2026-02-01"),
        ({"date_format": "dd/MM/yyyy"}, "01/02/12026", REFUSED),
        ({"date_format": "dd/MM/yyyy"}, "01/02/0000", REFUSED),
        ({"date_format": "yyyyMMdd"}, "20261125", "2026-11-25"),
        ({"date_format": "yyyyMMdd"}, "2026112", REFUSED),
        ({"date_format": "dd/MM/yyyy"}, "01/02/2026 ", REFUSED),
        ({"date_format": "dd/MM/yyyy"}, "2026-02-01", REFUSED),
        ({"date_format": "dd 'de' MM 'de' yyyy"}, "01 de 02 de 2026", "2026-02-01"),
    ],
)
def test_a_pattern_of_dates_is_strict(spark: Any, options: dict[str, str], text: str, expected: Any) -> None:
    (row,) = judged(raw(spark, f"{text};x"), subject("v date, z string"), stream(**options))
    assert (str(row["row"]["v"]) if row["_reason"] is None else REFUSED) == expected


def test_a_local_time_that_its_zone_has_not_or_has_twice_is_refused(spark: Any) -> None:
    times = ["2026-03-29 02:30", "2026-10-25 02:30", "2026-10-25 01:30", "2026-10-25T02:30+02:00"]
    found = judged(
        raw(spark, *(f"{time};x" for time in times)),
        subject("v timestamp, z string"),
        stream(timezone="Europe/Madrid"),
    )
    assert [row["_reason"] for row in found] == ["malformed", "malformed", None, None]


QUOTES = [
    ('"a;b";c', ("a;b", "c")),
    ('"a""b";"""c"""', ('a"b', '"c"')),
    ('"";x', (None, "x")),
    (";x", (None, "x")),
    ('"""";x', ('"', "x")),
    ("a\\;x", ("a\\", "x")),
    ("'a;b'", ("'a", "b'")),
    (" a ; b ", (" a ", " b ")),
    ('" a";"b "', (" a", "b ")),
    ("a;\tb", ("a", "\tb")),
    ("a\x00;b", ("a\x00", "b")),
    ("a;b\r", ("a", "b")),
    ("a;b\r\r", ("a", "b")),
    ("\ufeffa;b", ("a", "b")),
    ("\ufeff\ufeffa;b", ("a", "b")),
    ("a;\ufeffb", ("a", "\ufeffb")),
    ("ñ;€😀", ("ñ", "€😀")),
]
BROKEN = {
    'Ana;"cena': (
        "b: a quote is opened and not closed -> multiline=True in the row reads fields that span lines"
    ),
    '"Ana;cena': (
        "a: a quote is opened and not closed -> multiline=True in the row reads fields that span lines"
    ),
    'fin";x': (
        "a: a quote stands inside a field that does not begin with one -> multiline=True in the row reads "
        "fields that span lines"
    ),
    '"a"b;x': "a: something follows the closing quote",
    '"a" ;x': "a: something follows the closing quote",
    'a; "b"': (
        "b: a quote stands inside a field that does not begin with one -> multiline=True in the row reads "
        "fields that span lines"
    ),
    "a\rb;x": "a: a line end stands outside quotes",
    "a": "1 fields, expected 2 (a, b)",
    "a;b;c": "3 fields, expected 2 (a, b)",
    ";;": "3 fields, expected 2 (a, b)",
    "a,b": '1 fields, expected 2 (a, b) -> separator="," in the row would split it so',
    '"a;b': "a: a quote is opened and not closed -> multiline=True in the row reads fields that span lines",
}


def test_quotes_are_those_of_rfc_4180(spark: Any) -> None:
    found = judged(raw(spark, *(text for text, _ in QUOTES)), subject("a string, b string"), stream())
    assert [(row["_reason"], tuple(row["row"])) for row in found] == [
        (None, expected) for _, expected in QUOTES
    ]
    told = judged(raw(spark, *BROKEN), subject("a string, b string"), stream())
    assert [row["_reason"] for row in told] == ["malformed"] * len(BROKEN)
    assert {text: row["message"] for text, row in zip(BROKEN, told, strict=True)} == BROKEN


def test_bytes_that_are_not_utf_8_are_refused_with_the_way_to_convert_them(spark: Any) -> None:
    (row,) = judged(raw(spark, "año;x".encode("latin-1")), subject("a string, b string"), stream())
    assert (row["_reason"], row["message"]) == (
        "malformed",
        'not UTF-8; as Latin-1 it begins "año;x" -> iconv -f LATIN1 -t UTF-8 FILE >NEW',
    )


_FIELD = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\n\r"), max_size=6
)


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(st.tuples(_FIELD, _FIELD), min_size=1, max_size=40),
    st.sampled_from(";,\t|§"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_pythons_writer_wrote_is_read_back(
    spark: Any, rows: list[tuple[str, str]], separator: str, quoting: Any
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", delimiter=separator, quoting=quoting).writerows(
        ("x", *row) for row in rows
    )
    found = judged(
        raw(spark, *out.getvalue().split("\n")[:-1]),
        subject("k string, a string, b string"),
        stream(separator=separator),
    )
    assert [tuple(row["row"])[1:] for row in found] == [(a or None, b or None) for a, b in rows]


def test_the_java_side_cuts_a_whole_file_as_intake_counts_it(spark: Any) -> None:
    from jobs.core.read import strict

    for separator in {separator for _, separator, _ in CASES}:
        cases = [(text, records) for text, mark, records in CASES if mark == separator]
        frame = raw(spark, *(text for text, _ in cases))
        source = Files("csv", separator=separator.decode(), multiline=True)
        found = frame.select(strict.split_csv(frame, source, "_raw").alias("records")).collect()
        for (text, records), row in zip(cases, found, strict=True):
            assert [bytes(one) for one in row["records"]] == records, text


COLUMNS = ("dni", "nombre", "apellido")


@pytest.mark.parametrize(
    ("header", "options", "record", "expected"),
    [
        ("dni;nombre;apellido", {}, "1;Ana;Ruiz", ("1", "Ana", "Ruiz")),
        ("DNI;Nombre; Apellido ", {}, "1;Ana;Ruiz", ("1", "Ana", "Ruiz")),
        ("apellido;dni;nombre", {}, "Ruiz;1;Ana", ("1", "Ana", "Ruiz")),
        ('"apellido";"dni";"nombre"', {}, "Ruiz;1;Ana", ("1", "Ana", "Ruiz")),
        (
            "apellido;dni;nombre",
            {"columns": "in-order"},
            "Ruiz;1;Ana",
            "expected in this order: dni, nombre, apellido",
        ),
        ("dni;nombre;apellidos", {}, "1;Ana;Ruiz", "apellidos is none of dni, nombre, apellido"),
        ("dni;nombre;apellidos", {"columns": "by-position"}, "1;Ana;Ruiz", ("1", "Ana", "Ruiz")),
        (
            "documento;apellido;nombre completo",
            {},
            "1;Ruiz;Ana",
            "documento, nombre completo is none of dni, nombre, apellido",
        ),
        ("1;Ana;Ruiz", {}, "2;Eva;Gil", "1, Ana, Ruiz is none of dni, nombre, apellido"),
        ("dni;nombre", {}, "1;Ana", "apellido is not among dni, nombre"),
        ("dni;nombre", {"missing_columns": "null"}, "1;Ana", ("1", "Ana", None)),
        ("nombre;edad;dni;apellido", {}, "Ana;3;1;Ruiz", "edad is none of dni, nombre, apellido"),
        ("nombre;edad;dni;apellido", {"extra_columns": "ignore"}, "Ana;3;1;Ruiz", ("1", "Ana", "Ruiz")),
        ("nombre;edad;dni;apellido", {"extra_columns": "ignore"}, "Ana;3;1", None),
        (
            "a;b;c",
            {"extra_columns": "ignore", "missing_columns": "null"},
            "1;2;3",
            "a, b, c is none of dni, nombre, apellido",
        ),
        ("dni;dni;nombre", {"missing_columns": "null"}, "1;2;Ana", "dni stands there twice"),
        ("dni;nombre;apellido;", {}, "1;Ana;Ruiz;", "(no name) is none of"),
        ("dni,nombre,apellido", {}, "1,Ana,Ruiz", "dni,nombre,apellido is none of dni, nombre, apellido"),
        ('"dni;nombre;apellido', {}, "1;Ana;Ruiz", "is none of"),
        ("a;b", {"columns": "by-position", "missing_columns": "null"}, "1;Ana", ("1", "Ana", None)),
        (
            "a;b;c;d",
            {"columns": "by-position", "extra_columns": "ignore"},
            "1;Ana;Ruiz;x",
            ("1", "Ana", "Ruiz"),
        ),
        ("a;b;c;d", {"columns": "by-position"}, "1;Ana;Ruiz;x", "d is none of"),
    ],
)
def test_columns_are_found_by_the_header_as_the_row_says(
    spark: Any, header: str, options: Any, record: str, expected: Any
) -> None:
    row = stream(header=True, **options)
    layouts = csv_headers.HeaderLayouts((csv_headers.of(header, COLUMNS, row.source),))
    first, second = judged(
        raw(spark, header, record), subject("dni string, nombre string, apellido string"), row, layouts
    )
    if isinstance(expected, str):
        assert [first["_reason"], second["_reason"]] == ["wrong-header"] * 2  # the first line may be a record
        assert (
            expected in first["message"]
            and first["message"] == second["message"]
            and " -> " in first["message"]
        )
    elif expected is None:
        assert (first["_reason"], second["_reason"], second["message"]) == (
            "header",
            "malformed",
            "3 fields, expected 4 (dni, nombre, apellido)",
        )
    else:
        assert (first["_reason"], second["_reason"], tuple(second["row"])) == ("header", None, expected)


def test_the_header_of_a_file_that_was_joined_to_another_is_not_a_record(spark: Any) -> None:
    row = stream(header=True)
    layouts = csv_headers.HeaderLayouts((csv_headers.of("nombre;dni;apellido", COLUMNS, row.source),))
    lines = ("nombre;dni;apellido", "Ana;1;Ruiz", "\ufeffNombre;DNI;apellido\r", "nombre;dni;Gil")
    found = judged(raw(spark, *lines), subject("dni string, nombre string, apellido string"), row, layouts)
    assert [row["_reason"] for row in found] == ["header", None, "header", None]


def test_each_file_of_a_batch_is_read_by_its_own_header(spark: Any) -> None:
    row, about = stream(header=True), subject("a string, b string")
    kinds = tuple(csv_headers.of(header, ("a", "b"), row.source) for header in ("a;b", "b;a", "c;d"))
    frame = (
        raw(spark, "a;b", "1;2", origin="x")
        .union(raw(spark, "b;a", "2;1", "a;b", origin="y"))
        .union(raw(spark, "c;d", "3;4", origin="z"))
    )
    found = judged(frame, about, row, csv_headers.HeaderLayouts(kinds, {"y": 1, "z": 2}))
    assert [(one["_reason"], tuple(one["row"])) for one in found] == [
        ("header", (None, None)),
        (None, ("1", "2")),
        ("header", (None, None)),
        (None, ("1", "2")),
        (None, ("b", "a")),
        ("wrong-header", (None, None)),
        ("wrong-header", (None, None)),
    ]


def test_an_empty_field_of_a_column_that_must_not_be_empty_is_refused(spark: Any) -> None:
    schema = StructType().add("a", StringType(), nullable=False).add("b", StringType())
    found = judged(raw(spark, ";x", "y;"), Subject(schema, {}), stream())
    assert [(row["_reason"], row["message"]) for row in found] == [("missing-field", "a"), (None, None)]


def test_values_of_a_topic_are_read_as_those_of_files(spark: Any) -> None:
    row = Stream("s", Topic("t", "csv", decimal=",", date_format="dd/MM/yyyy"), Files("json"))
    found = judged(raw(spark, '25/11/2026,"1,5"', "2026-11-25,1", " "), subject("d date, v double"), row)
    assert [row["_reason"] for row in found] == [None, "malformed", "empty-value"]
    assert (str(found[0]["row"]["d"]), found[0]["row"]["v"]) == ("2026-11-25", 1.5)


@pytest.mark.parametrize("kind", ["binary", "array<string>", "struct<a:string>", "interval day to second"])
def test_a_type_that_no_field_can_spell_is_named_before_anything_runs(kind: str) -> None:
    with pytest.raises(BrokenStream, match="column 'v' has a type that cannot be read from CSV"):
        require_known(subject(f"v {kind}"), stream())


def test_a_csv_record_is_walked_once(spark: Any) -> None:
    about = Subject(StructType.fromDDL("a string, b int"), {"r1": "b > 1", "r2": "a = ''"})
    found = classify(raw(spark, "x;1"), about, replace(stream(), name="t")).select("_reason", "_record.*")
    plan = found._jdf.queryExecution().executedPlan().toString()
    assert plan.count("strict_csv.invoke(") == 1, plan
