"""Refused records as they lie on disk, and the first line that makes a delivery nobody's duplicate."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.intake.tally import LineCounter
from include.state import deliveries, refused_records
from include.state.refused_records import Mark, RefusedRecord, Selection
from jobs.contract.errors import DataError
from jobs.contract.text import reprocessed

OPERATIONS = st.from_regex(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}", fullmatch=True)


def line(raw: bytes | None, **more: str) -> bytes:
    """As quarantine writes it: raw where it is UTF-8, else raw_base64; neither for a null."""
    text: dict[str, str] = {}
    if raw is not None:
        try:
            text = {"raw": raw.decode()}
        except UnicodeDecodeError:
            text = {"raw_base64": base64.b64encode(raw).decode()}
    return json.dumps({"reason": "malformed", "origin": "f", **text, "run_id": "r", **more}).encode() + b"\n"


@settings(deadline=None)
@given(st.lists(st.none() | st.binary(max_size=20).filter(lambda b: b"\n" not in b), max_size=5))
def test_a_delivery_holds_the_bytes_of_each_record_on_a_line_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, raws: list[bytes | None]
) -> None:
    folder = tmp_path_factory.mktemp("registros")
    (folder / "part-0").write_bytes(b"".join(map(line, raws)) + line(b"other", reason="other"))
    (folder / "_handled.op.json").write_text("{}")
    assert [r.raw for r in refused_records.records(folder)] == [*raws, b"other"]
    made = b"".join(refused_records.delivery("op", "name", folder, Selection(("malformed",), "")))
    assert made[reprocessed.ID_BYTES :] == b"".join(raw + b"\n" for raw in raws if raw is not None)


@given(OPERATIONS, OPERATIONS, st.integers(1, 99999), st.integers(0, 10**10))
def test_the_first_line_is_no_record_and_differs_for_each_delivery(
    one: str, other: str, generation: int, batch: int
) -> None:
    name = deliveries.name(one, generation, batch, "json")
    assert deliveries.NAME.fullmatch(name)
    first = reprocessed.id_line(one, name)
    counted = LineCounter()
    counted.feed(first)
    assert (len(first), counted.total(), first.strip()) == (reprocessed.ID_BYTES, 0, b"")
    second = deliveries.name(other, generation, batch, "json")
    assert (first == reprocessed.id_line(other, second)) == (one == other)


NO_TEXT = b'{"reason":"a","origin":"b","raw":1,"run_id":"c"}\n'


@pytest.mark.parametrize(
    "wrong", [b"{", b"[]\n", b"{}\n", line(b"x").replace(b'"raw"', b'"raw_base64"'), NO_TEXT]
)
def test_a_line_that_quarantine_did_not_write_is_named(tmp_path: Path, wrong: bytes) -> None:
    (tmp_path / "part-0").write_bytes(wrong)
    with pytest.raises(DataError, match=r"not a refused record .*part-0"):
        list(refused_records.records(tmp_path))


def test_marks_and_selections_are_read_as_they_were_written(tmp_path: Path) -> None:
    mark = Mark("20261124T080000000Z-0a1b2c3d", "reprocessed", ("a", "b"), "now", "name")
    (tmp_path / refused_records.mark_name(mark.operation)).write_text(mark.to_json())
    assert refused_records._marks(tmp_path) == (mark,)
    chosen = Selection(("a", "b"), "d", "h", ";")
    assert Selection.from_json(chosen.to_json()) == chosen
    assert Selection.from_json('{"reasons": ["a"], "digest": "d"}') == Selection(
        ("a",), "d"
    )  # of an operation begun by an older version
    (tmp_path / refused_records.mark_name("x")).write_text("{}")
    with pytest.raises(DataError, match="unreadable mark"):
        refused_records._marks(tmp_path)
    assert RefusedRecord("a", "", "o", None, "r").raw is None
