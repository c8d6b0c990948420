"""`./caudal torture --table`: what it counts, how it is written, and that the page holds the whole of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.cli.build import torture
from include.samples import facturas as samples
from include.settings import ROOT
from include.torture.faults import files, records, series, table
from include.torture.faults.series import Line
from include.torture.faults.sides import Caudal, Ends, Plain, one
from include.torture.runs import multiset, wait_for
from jobs.contract.errors import UsageError

PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
FAULT = series.all_faults()[0]
LINE = Line(
    FAULT,
    Ends(1234, 5, 0, 6, 0, (0,)),
    Ends(1234, 0, 0, 0, 20, (65, 0), ("pairing-broken", "file refused: duplicate")),
)


def test_a_row_says_what_both_sides_came_to() -> None:
    assert (
        table.row(LINE) == f"| {FAULT} | 1,234 | 5 | 0 | 6 | 0 | 0 | 0 | 0 | 20 | 65, 0 "
        "| pairing-broken; file refused: duplicate |"
    )


def test_both_sides_must_have_been_delivered_the_same() -> None:
    with pytest.raises(AssertionError, match="1233"):
        table.row(replace(LINE, plain=replace(LINE.plain, delivered=1233)))


def test_the_table_goes_between_its_markers_and_nothing_else_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"above\n{table.BEGIN}\nold\n{table.END}\nbelow\n")
    for _ in range(2):
        table.write(page, table.markdown([LINE], datetime(2026, 11, 25, tzinfo=UTC)))
        lines = page.read_text().splitlines()
        assert (lines[0], lines[-1], lines.count("old")) == ("above", "below", 0)
        assert [line for line in lines if line.startswith(f"| {FAULT}")] == [table.row(LINE)]
        assert any(line.startswith("25 November 2026, ") for line in lines)


def test_a_page_without_markers_or_a_part_of_the_table_is_refused_before_any_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no place\n")
    with pytest.raises(UsageError, match="has no lines"):
        torture.command(faults=True, with_kafka=True, write=page)
    with pytest.raises(UsageError, match="the whole table"):
        torture.command(faults=True, only="brackets", with_kafka=True, write=page)
    assert page.read_text() == "no place\n"


def test_the_page_holds_every_fault_in_the_code_s_own_form_or_says_that_it_was_left_out() -> None:
    head, blank, columns, rule, *rest = table.block(PAGE).strip("\n").splitlines()
    assert re.match(r"\d\d \w+ \d{4}, \d+ cores, \d+ GiB, ", head)
    assert (blank, columns, rule) == tuple(table.markdown([], datetime.now(UTC)).splitlines()[1:4])
    cells = [line.strip("| ").split(" | ") for line in rest if line.startswith("| ")]
    done = [line[0] for line in cells]
    left = [fault for fault in series.all_faults() if fault not in done]
    assert done == [fault for fault in series.all_faults() if fault in done]
    assert [line.removeprefix("- ") for line in rest if line.startswith("- ")] == left
    assert (table.LEFT_OUT in rest) == bool(left)
    assert {len(line) for line in cells} == {len(table.COLUMNS)}


def test_the_page_says_that_caudal_lost_repeated_and_left_nothing() -> None:
    rows = [
        line.strip("| ").split(" | ") for line in table.block(PAGE).splitlines() if line.startswith("| ")
    ][1:]
    assert [line[6:9] for line in rows] == [["0", "0", "0"]] * len(rows)


def test_every_malformed_kind_differs_from_the_record_it_was_made_of() -> None:
    documents = list(samples.documents(len(records.KINDS), 7, 0))
    spoiled = records.spoiled(iter(documents))
    assert list(spoiled) == [json.loads(document)["InvoiceNumber"] for document in documents]
    assert len({*spoiled.values()} | {*documents}) == 2 * len(records.KINDS) == 40


def test_rows_lost_and_too_many_are_told_from_rows_that_are_stuck(tmp_path: Path) -> None:
    side = Plain(tmp_path)
    side.rows = Counter({'{"InvoiceNumber": "1"}': 2, '{"InvoiceNumber": "2"}': 1})
    side.bad = {"3": "{3", "4": "{4"}
    side.output.mkdir()
    (side.output / "part-0").write_text('{"InvoiceNumber":"1"}\n{"InvoiceNumber":"4"}\n{"Invo')
    assert side.ends([1, 0]) == Ends(
        5, 3, 0, 2, 0, (1, 0)
    )  # lost: one of 1, the 2, the record 3; too many: 4's row and the torn line
    assert side.ends([0, 1]) == Ends(5, 0, 3, 2, 0, (0, 1))


def test_a_moment_that_never_comes_is_no_fault_done() -> None:
    with pytest.raises(AssertionError, match="ended before: the moment of the fault"):
        wait_for(lambda: False, "the moment of the fault", of=subprocess.Popen(["true"], text=True))


def both(fault: files.Fault, folder: Path) -> list[Ends]:
    """How the plain job and Caudal end."""
    ends = []
    for side in (Plain, Caudal):
        (folder / side.__name__).mkdir()
        chosen = side(folder / side.__name__)
        ends.append(one(fault, chosen, chosen.run))
    return ends


@pytest.mark.slow
@pytest.mark.spark
def test_a_name_with_brackets_makes_the_plain_job_read_others_twice_and_caudal_not(tmp_path: Path) -> None:
    plain, own = both(files.brackets_in_a_name, tmp_path)
    assert (plain.many > 0, plain.codes) == (True, (0,))
    assert (own.lost, own.stuck, own.many, own.codes) == (0, 0, 0, (0,))


@pytest.mark.torture
@pytest.mark.slow
@pytest.mark.spark
def test_malformed_records_spoil_the_plain_job_and_are_quarantined_here(tmp_path: Path) -> None:
    plain, own = both(files.malformed_records, tmp_path)
    assert own.codes == (0,)
    assert plain.lost + plain.stuck + plain.many > 0
    assert (own.lost, own.stuck, own.many, own.refused) == (0, 0, 0, len(records.KINDS))
    assert own.delivered == multiset(samples.generate(50, seed=1, start_ms=0).expected_lines()).total() + len(
        records.KINDS
    )
