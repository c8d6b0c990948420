"""What a csv sink writes is read back to the letter: by Spark, as docs/csv.md says and as a stream does, by
DuckDB and by Python's csv."""

from __future__ import annotations

import csv
import io
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql.types import StringType, StructType

from jobs.contract.errors import BrokenStream, NoCsvForm
from jobs.contract.stream import Files, Stream
from jobs.core import run
from jobs.core.formats import csv_form
from jobs.core.read.records import Subject
from jobs.core.write import sinks
from tests.jobs.core import csv_readers
from tests.matrix import long

pytestmark = pytest.mark.spark

NAMES = ["a", 'with "quotes", and ends\n', " blanks "]
AWKWARD = [
    None,
    "",
    " ",
    " a ",
    "\t",
    "\ta\t",
    "\0",
    "a\0b",
    '\0"',
    '"\0',
    '\0""',
    '"',
    '""',
    'a"b',
    '"a"',
    "a,b",
    ";",
    "\\",
    "a\\",
    '\\"',
    '"\\',
    "\n",
    "\r",
    "\r\n",
    "a\nb",
    "a\rb",
    "\n\n",
    "'",
    "'a'",
    "#",
    "#a",
    "\ufeff",
    "\ufeffa",
    "a\ufeff",
    "\uffff",
    "007",
    "1e5",
    "-0.0",
    "true",
    "NULL",
    "null",
    "\\N",
    "🦤",
    "e\u0301",
    "\u2028",
    "\x85",
    "\x0b",
    "\x1a",
    "\x7f",
    f"{csv_readers.NO_VALUE}!",
    3 * "longer than a reader's buffer,\"\n\0" * 20_000,
]
TEXTS = (
    st.none()
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)))
    | st.text(st.sampled_from("\",;\\\0\n\r\t #\ufeff'aé🦤"))
)
Row = tuple[str | None, ...]


def rows_of(values: list[str | None]) -> list[Row]:
    """Each value in each column."""
    return [
        tuple(values[(i + shift) % len(values)] for shift in range(len(NAMES))) for i in range(len(values))
    ]


def written(spark: Any, folder: Path, rows: list[Row], sink: Files, names: list[str] = NAMES) -> Path:
    schema = StructType()
    for name in names:
        schema = schema.add(name, StringType())
    sinks.write_files(spark.createDataFrame(rows, schema).coalesce(1), sink, folder)
    [file] = sinks.seal(folder, "csv", sink.header)
    assert (file.name[:5], file.name[-4:], file.records) == ("part-", ".csv", len(rows))
    return folder


def require_same(spark: Any, folder: Path, sink: Files, rows: list[Row]) -> None:
    columns = [f"c{i}" for i in range(len(rows[0]))]
    schema = ", ".join(f"{name} string" for name in columns)
    assert csv_readers.by_duckdb(folder, sink, columns) == rows
    assert csv_readers.by_python(folder, sink) == [tuple(value or "" for value in row) for row in rows]
    assert csv_readers.by_spark(spark, folder, sink, schema) == rows
    options = csv_form.read_options(sink.separator, sink.header)
    own = spark.read.schema(schema).options(**options, mode="FAILFAST").csv(str(folder)).collect()
    assert [tuple(row) for row in own] == rows


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TEXTS, min_size=50, max_size=200), st.sampled_from(",;\t|"), st.booleans())
def test_any_text_comes_back_as_it_was(
    spark: Any,
    tmp_path_factory: pytest.TempPathFactory,
    values: list[str | None],
    separator: str,
    header: bool,
) -> None:
    sink = Files("csv", separator=separator, header=header)
    folder = written(spark, tmp_path_factory.mktemp("csv") / "out", rows_of(values), sink)
    require_same(spark, folder, sink, rows_of(values))


@pytest.mark.parametrize("separator", [long(","), "\\", long("€"), "\0"])
def test_awkward_texts_come_back_whatever_separates_them(spark: Any, tmp_path: Path, separator: str) -> None:
    values = [*AWKWARD, separator, f"{separator}a", f"a{separator}"]
    for header in (True, False):
        sink = Files("csv", separator=separator, header=header)
        require_same(
            spark, written(spark, tmp_path / str(header), rows_of(values), sink), sink, rows_of(values)
        )


def test_the_readers_in_the_docs_read_it_as_they_say(spark: Any, tmp_path: Path) -> None:
    names = ["id", "note"]
    rows = [row[:2] for row in rows_of(AWKWARD)]
    folder = written(spark, tmp_path / "out", rows, Files("csv"), names)
    page = (Path(__file__).parents[3] / "docs" / "csv.md").read_text(encoding="utf-8")
    by_spark, by_python = (block.partition("```")[0] for block in page.split("```python\n")[1:])
    by_duckdb = page.partition("```sql\n")[2].partition("```")[0].replace("FOLDER", str(folder))
    [file] = folder.glob("part-*")
    given: dict[str, Any] = {
        "spark": spark,
        "schema": "id string, note string",
        "folder": str(folder),
        "file": file,
        "csv": csv,
        "sys": sys,
    }
    exec(by_spark, given)  # noqa: S102 - the page's own words
    assert [tuple(row) for row in given["rows"].collect()] == rows
    exec(by_python, given)  # noqa: S102 - the page's own words
    assert (given["names"], given["rows"]) == (names, [[value or "" for value in row] for row in rows])
    with duckdb.connect(":memory:") as database:
        assert database.execute(by_duckdb).fetchall() == rows


def test_the_header_names_the_columns_as_they_are(spark: Any, tmp_path: Path) -> None:
    [part] = written(spark, tmp_path / "out", [("x", "y", "z")], Files("csv")).glob("part-*")
    with part.open(encoding="utf-8", newline="") as text:
        assert next(csv.reader(text)) == NAMES


def test_an_empty_text_in_a_table_of_one_column_is_a_row_and_a_null_is_refused_by_name(
    spark: Any, tmp_path: Path
) -> None:
    rows: list[Row] = [("",), ("a",), ("",), (" ",)]
    for header in (True, False):
        sink = Files("csv", header=header)
        require_same(spark, written(spark, tmp_path / str(header), rows, sink, ["a"]), sink, rows)
    with pytest.raises(Exception) as raised:
        written(spark, tmp_path / "null", [("a",), (None,)], Files("csv"), ["a"])
    found = run.foreseen(raised.value, tmp_path)
    assert (type(found), "blank line" in found.what) == (NoCsvForm, True)


def test_a_run_ends_by_that_name_and_publishes_nothing(home: Any, tmp_path: Path) -> None:
    home.stream = Stream("palabras", Files("json", settle_s=0), Files("csv"))
    home.subject, home.transform = Subject(StructType().add("a", StringType()), {}), lambda rows: rows
    home.put("1.json", '{"a": "x"}\n{"a": null}\n')
    with pytest.raises(Exception) as raised:
        home.run()
    assert isinstance(run.foreseen(raised.value, tmp_path), NoCsvForm), raised.value
    assert (home.manifests(), home.lines()) == ([], [])


def test_other_types_come_back_as_the_same_values(spark: Any, tmp_path: Path) -> None:
    schema = (
        "a boolean, b tinyint, c smallint, d int, e bigint, f float, g double, h decimal(38,18), i date, j "
        "timestamp, k timestamp_ntz"
    )
    at, before = datetime(2026, 1, 2, 3, 4, 5, 123456, UTC), datetime(1969, 12, 31, 23, 59, 59, 999000, UTC)
    small = Decimal("0.000000000000000001")
    rows = [
        (True, -128, 1, 2, -(2**63), 1.5, 1e300, small, date(2026, 1, 2), at, at.replace(tzinfo=None)),
        (False, 127, -1, -2, 2**63 - 1, 0.1, -1e-7, Decimal(-1), date(1, 1, 1), before, datetime(1, 1, 1)),
        (None,) * 11,
    ]
    frame = spark.createDataFrame(rows, schema).coalesce(1)
    sinks.write_files(frame, Files("csv", header=False), tmp_path / "out")
    lines: list[Any] = csv_readers.by_python(tmp_path / "out", Files("csv", header=False))
    time = "2026-01-02T03:04:05.123456"
    assert lines[0][5:] == ("1.5", "1.0E300", "0.000000000000000001", "2026-01-02", f"{time}Z", time)
    earlier = ("0001-01-01", "1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000")
    assert lines[1][7:] == ("-1.000000000000000000", *earlier)
    read = spark.read.schema(frame.schema).options(
        **csv_form.read_options(",", header=False), mode="FAILFAST"
    )
    assert read.csv(str(tmp_path / "out")).collect() == frame.collect()


@pytest.mark.parametrize(
    "kind", ["array<int>", "struct<a:int>", "map<string,int>", "binary", "interval day to second"]
)
def test_a_type_without_a_csv_form_is_refused_before_anything_is_written(
    spark: Any, tmp_path: Path, kind: str
) -> None:
    frame = spark.createDataFrame([], f"a string, other {kind}")
    with pytest.raises(BrokenStream, match=r"column 'other': .* has no csv form"):
        sinks.write_files(frame, Files("csv"), tmp_path / "out")
    with pytest.raises(BrokenStream, match=r"column 'other': .* has no csv form"):
        sinks.packed(frame, "csv")
    assert not (tmp_path / "out").exists()


def test_a_message_is_one_record_without_a_line_end(spark: Any) -> None:
    rows = rows_of(AWKWARD)
    frame = spark.createDataFrame(rows, ", ".join(f"c{i} string" for i in range(len(NAMES)))).coalesce(1)
    values = [row[0] for row in frame.select(sinks.packed(frame, "csv")).collect()]
    csv.field_size_limit(2**31)
    found = [list(csv.reader(io.StringIO(value, newline=""), strict=True)) for value in values]
    assert found == [[[text or "" for text in row]] for row in rows]
    alone = spark.createDataFrame([(None,), ("",), ("a",)], "c string").coalesce(1)
    assert [row[0] for row in alone.select(sinks.packed(alone, "csv")).collect()] == ["", '""', "a"]


def test_files_of_before_are_read_beside_new_ones(spark: Any, tmp_path: Path) -> None:
    """As Spark's own writer wrote them: blanks at the ends and NUL were lost then, and are not invented
    now."""
    written(spark, tmp_path / "out", [(" new ", "a\nb", None)], Files("csv"))
    old = tmp_path / "out" / "part-00000-old-c000.csv"
    old.write_text('a,b,c\nold,"x\ny",\n"","say ""so""",\\\n', encoding="utf-8", newline="")
    options = csv_form.read_options(",", header=True)
    read = spark.read.schema("a string, b string, c string").options(**options, mode="FAILFAST")
    found = {tuple(row) for row in read.csv(str(tmp_path / "out")).collect()}
    assert found == {(" new ", "a\nb", None), ("old", "x\ny", None), ("", 'say "so"', "\\")}


def test_some_columns_are_read_and_rows_counted_without_any(spark: Any, tmp_path: Path) -> None:
    folder = written(spark, tmp_path / "out", rows_of(AWKWARD), Files("csv"))
    options = csv_form.read_options(",", header=True)
    read = (
        spark.read.schema("a string, b string, c string").options(**options, mode="FAILFAST").csv(str(folder))
    )
    found = [row[0] for row in read.select("b").collect()]
    assert (read.count(), found) == (len(AWKWARD), [row[1] for row in rows_of(AWKWARD)])
