"""What a stream has published, read from real part files and manifests, json, parquet and csv."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include import settings as caudal
from include.account import published
from include.settings import Settings
from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest, OutputFile
from jobs.contract.disk.layout import MANIFEST
from jobs.contract.errors import DataError
from jobs.contract.run import report, spec
from jobs.contract.stream import Files, Format, Stream


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return caudal.load({"CAUDAL_HOME": str(tmp_path)})


def row(kind: Format = "json") -> Stream:
    return Stream("ventas", source=Files(), sink=Files(kind))


def write(path: Path, rows: list[dict[str, Any]], kind: str) -> None:
    import duckdb

    if kind == "json":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
        return
    with duckdb.connect() as db:
        text = path.with_suffix(".in")
        write(text, rows, "json")
        options = "FORMAT parquet" if kind == "parquet" else "FORMAT csv, HEADER"
        db.read_json(str(text), format="newline_delimited", hive_partitioning=False).create_view("rows")
        db.execute(f"COPY rows TO '{path}' ({options})")
        text.unlink()


def publish(
    home: Settings, generation: int, batch: int, parts: list[list[dict[str, Any]]], kind: str = "json"
) -> Path:
    folder = home.layout.batch("ventas", generation, batch)
    folder.mkdir(parents=True)
    files = []
    for n, rows in enumerate(parts):
        write(folder / f"part-{n:05d}.{kind}", rows, kind)
        files.append(OutputFile(f"part-{n:05d}.{kind}", 1, "", len(rows)))
    count = sum(map(len, parts))
    made = Manifest("ventas", "q", generation, batch, "d", {}, {}, tuple(files), count + 1, count, 1, "", "r")
    (folder / MANIFEST).write_bytes(made.to_json())
    return folder


def test_nothing_published_is_no_error(home: Settings) -> None:
    assert published.newest_rows(home, row(), 10) == []
    assert published.summary(home, row()) == published.Summary(0, 0, 0, 0, None)


@pytest.mark.parametrize("kind", ["json", "parquet", "csv"])
def test_the_newest_rows_come_from_the_newest_batches_in_order(home: Settings, kind: Format) -> None:
    publish(home, 1, 7, [[{"id": "a", "n": 1}], [{"id": "b", "n": 2}]], kind)
    publish(home, 1, 8, [[]] if kind == "json" else [], kind)
    publish(home, 2, 0, [[{"id": "c", "n": 3}, {"id": "d", "n": 4}]], kind)
    found = published.newest_rows(home, row(kind), 3)
    assert [(r["id"], str(r["n"])) for r in found] == [("b", "2"), ("c", "3"), ("d", "4")]
    assert [r["id"] for r in published.newest_rows(home, row(kind), 99)] == ["a", "b", "c", "d"]
    assert list(found[0]) == ["id", "n"]  # no gen and batch from the folders' names


@pytest.mark.parametrize(("separator", "header"), [(";", True), ("|", False), ("\\", True)])
def test_csv_is_shown_as_the_row_says_it_is_written(home: Settings, separator: str, header: bool) -> None:
    folder = publish(home, 1, 0, [[{"id": "a"}] * 4])
    (folder / "part-00000.json").unlink()
    head = f'id{separator}"a ""b""\n"\n' if header else ""
    lines = [
        f'"a\nb"{separator}',
        f'""{separator}007',
        f'" x "{separator}"#"',
        f'"say ""{separator}"""{separator}"\r\n\0"',
    ]
    (folder / "part-00000.json").write_text(head + "\n".join(lines) + "\n", newline="")
    found = published.newest_rows(
        home, Stream("ventas", Files(), Files("csv", separator=separator, header=header)), 9
    )
    assert list(found[0]) == (["id", 'a "b"\n'] if header else ["column0", "column1"])
    rows = [("a\nb", None), ("", "007"), (" x ", "#"), (f'say "{separator}"', "\r\n\0")]
    assert [tuple(row.values()) for row in found] == rows


def test_columns_left_out_of_some_rows_read_as_null(home: Settings) -> None:
    publish(home, 1, 0, [[{"id": "a"}], [{"id": "b", "City": "Dehri"}]])
    assert published.newest_rows(home, row(), 2) == [{"id": "a", "City": None}, {"id": "b", "City": "Dehri"}]


@pytest.mark.parametrize("told", [("id", "City", "State", "total"), ()])
def test_columns_stand_in_the_order_of_the_sink_whichever_a_row_leaves_out(
    home: Settings, told: tuple[str, ...]
) -> None:
    rows: list[list[dict[str, Any]]] = [
        [{"id": "a", "total": 1}],
        [{"id": "b", "State": "s", "total": 2}, {"id": "c", "City": "x", "State": "s"}],
    ]
    folder = publish(home, 1, 0, rows)
    (folder / MANIFEST).write_bytes(replace(manifest.read(folder), columns=told).to_json())
    assert [list(one) for one in published.newest_rows(home, row(), 3)] == [
        ["id", "City", "State", "total"]
    ] * 3
    assert [one["total"] for one in published.newest_rows(home, row(), 3)] == [1, 2, None]


@given(st.permutations("abcdefgh"), st.data())
def test_merged_keeps_the_order_of_each_part_of_one_schema(schema: list[str], data: st.DataObject) -> None:
    parts = data.draw(
        st.lists(
            st.sets(st.sampled_from(schema)).map(lambda names: [n for n in schema if n in names]), max_size=6
        )
    )
    found = published.merged(parts)
    assert sorted(found) == sorted({name for part in parts for name in part})
    assert all([name for name in found if name in part] == part for part in parts)
    assert published.merged([schema, *parts]) == schema


def test_merged_goes_by_first_sight_where_the_orders_contradict_each_other() -> None:
    assert published.merged(["ab", "bca"]) == ["a", "b", "c"]
    assert published.merged(["ad", "be", "bf"]) == ["a", "d", "b", "e", "f"]
    assert published.merged([]) == []


def test_the_newest_run_with_data_is_found_behind_empty_and_broken_ones(home: Settings) -> None:
    for second, (status, records) in enumerate([("done", 7), ("failed", 0), ("idle", 0), ("idle", 0)]):
        folder = home.layout.run("ventas", spec.new_run_id(datetime(2026, 11, 23, 20, 0, second, tzinfo=UTC)))
        folder.mkdir(parents=True)
        made = report.Report("ventas", folder.name, status, "2026-11-23T20:00:00+00:00", records_in=records)  # type: ignore[arg-type]
        (folder / "report.json").write_bytes(made.to_json() if second != 2 else b"{")
    found = published.summary(home, row())
    assert found.run is not None and found.with_data is not None
    assert (found.run.status, found.with_data.records_in) == ("idle", 7)


def test_the_summary_adds_up_manifests_and_shows_the_newest_run(home: Settings) -> None:
    publish(home, 1, 0, [[{"id": "a"}]])
    publish(home, 2, 0, [[{"id": "b"}, {"id": "c"}]])
    for second in (1, 2):
        run_id = spec.new_run_id(datetime(2026, 11, 23, 20, 0, second, tzinfo=UTC))
        home.layout.run("ventas", run_id).mkdir(parents=True)
        made = report.Report("ventas", run_id, "done", "2026-11-23T20:00:00+00:00", records_in=second)
        (home.layout.run("ventas", run_id) / "report.json").write_bytes(made.to_json())
    found = published.summary(home, row())
    assert (found.batches, found.records_in, found.rows, found.quarantined) == (2, 5, 3, 2)
    assert found.run is not None
    assert found.run.records_in == 2


def test_a_file_that_is_gone_is_an_error_naming_its_batch(home: Settings) -> None:
    folder = publish(home, 1, 0, [[{"id": "a"}]])
    (folder / "part-00000.json").unlink()
    with pytest.raises(DataError, match=r"batch=000000000"):
        published.newest_rows(home, row(), 1)


def test_staged_and_foreign_folders_are_not_shown(home: Settings) -> None:
    publish(home, 1, 0, [[{"id": "a"}]])
    (home.layout.output("ventas", 1) / "batch=000000001.20261123T200000000Z-00000000").mkdir()
    (home.layout.salida("ventas") / "old").mkdir()
    assert published.newest_rows(home, row(), 5) == [{"id": "a"}]
