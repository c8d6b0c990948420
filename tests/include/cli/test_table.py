"""Tables at every width: what is shown is whole, it fits where it can, and what has no room is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from include.cli.terminal import console, table

WIDTHS = (40, 60, 80, 120, 200)
CELLS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=30)
COLUMNS = ("stream", "state", "rows", "why")
ROWS = [
    ("facturas_ficheros", "done", "7", "nothing is wrong with it"),
    ("temperaturas_ventanas", "failed", "900000159", "-"),
]


def of(room: int | None, least: tuple[str, ...] = (), prose: str = "", rows: Any = ROWS) -> list[str]:
    return list(table.lines(COLUMNS, rows, room, least, prose))


def test_with_room_or_without_a_terminal_a_row_is_a_line_with_all_of_it() -> None:
    wide = [
        "stream                 state   rows       why",
        "facturas_ficheros      done    7          nothing is wrong with it",
        "temperaturas_ventanas  failed  900000159  -",
    ]
    assert of(None) == of(66) == of(200) == wide


def test_one_column_less_of_room_takes_a_column_and_says_which() -> None:
    less = of(65, least=("rows", "why"))
    assert less[:2] == [
        "stream                 state   why",
        "facturas_ficheros      done    nothing is wrong with it",
    ]
    assert less[3] == "no room here for rows: a wider terminal or a pipe shows all"
    assert of(35, least=("rows", "why"))[:2] == [
        "stream                 state",
        "facturas_ficheros      done",
    ]


def test_prose_is_folded_at_blanks_below_its_own_column() -> None:
    rows = [("a", "b", "c", "each word of this sentence stays whole, however narrow the terminal is")]
    assert of(45, prose="why", rows=rows) == [
        "stream  state  rows  why",
        "a       b      c     each word of this",
        "                     sentence stays whole,",
        "                     however narrow the",
        "                     terminal is",
    ]


def test_prose_of_characters_two_columns_wide_is_folded_where_the_terminal_ends() -> None:
    rows = [("a", "b", "c", "漢字漢字漢 字漢字漢字 end")]
    assert of(45, prose="why", rows=rows)[1:] == [
        "a       b      c     漢字漢字漢 字漢字漢字",
        "                     end",
    ]
    assert all(cell_len(line) <= 45 for line in of(45, prose="why", rows=rows))


def test_where_no_column_may_go_a_row_becomes_a_record() -> None:
    assert of(40) == [
        "stream  facturas_ficheros", "state   done", "rows    7", "why     nothing is wrong with it", "",
        "stream  temperaturas_ventanas", "state   failed", "rows    900000159", "why     -",
    ]  # fmt: skip


@example([("0 0", "", "", "0" * 20 + "\u3000" * 4 + "、")], 40, set())  # a record: its value may be wider
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=4),
    st.sampled_from((*WIDTHS, None)),
    st.sets(st.sampled_from(("state", "why"))),
)
def test_no_cell_is_cut_and_aligned_lines_fit(
    rows: list[tuple[str, ...]], room: int | None, least: set[str]
) -> None:
    found = of(room, tuple(sorted(least)), rows=rows)
    gone = next((line for line in found if line.startswith("no room here for ")), "")
    for at, column in enumerate(COLUMNS):
        if column not in gone:
            assert all(row[at].rstrip() in "\n".join(found) for row in rows)
    # not as records, whose long values the terminal itself breaks
    if room and found and found[0].split() == [column for column in COLUMNS if column not in gone]:
        assert all(cell_len(line) <= room for line in found if line not in gone)
    if room is None:
        assert len(found) == 1 + len(rows)


def test_cells_of_two_columns_and_of_none_keep_the_next_column_in_line() -> None:
    found = list(table.lines(("name", "n"), [("漢字", "1"), ("ñandú", "2"), ("e\u0301", "3")], None))
    assert found == ["name   n", "漢字   1", "ñandú  2", "e\u0301      3"]


def test_what_rich_would_make_pictures_of_and_a_tab_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.table(("file", "n"), [(":bank: [red]\tx\x1b[2J", 1)])
    assert capsys.readouterr().out == "file                      n\n:bank: [red]\\x09x\\x1b[2J  1\n"


def test_a_table_of_nothing_is_its_head_or_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(("file", "n"), [])
    console.table((), [()])
    assert capsys.readouterr().out == "file  n\n"
