"""`_MANIFEST`: what is written is read back, and anything else is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest, OutputFile
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import DataError

ONE = Manifest(
    stream="facturas_ficheros",
    query_id="q",
    generation=1,
    batch=7,
    input_digest="d",
    start={"logOffset": 6},
    end={"logOffset": 7},
    files=(OutputFile("part-0.json", 10, "ab", 2),),
    records_in=3,
    rows_out=2,
    quarantined=1,
    quarantine_digest="e",
    run_id="20261123T201500123Z-1f2e3d4c",
)
COUNTS = st.integers(0, 2**60)
POSITIONS = st.dictionaries(st.text(), st.integers() | st.dictionaries(st.text(), COUNTS))
FILES = st.builds(
    OutputFile, name=st.text(st.characters()), size_bytes=COUNTS, sha256=st.text(), records=COUNTS
)
MANIFESTS = st.builds(
    Manifest,
    stream=st.text(),
    query_id=st.text(),
    generation=COUNTS,
    batch=COUNTS,
    input_digest=st.text(),
    start=POSITIONS,
    end=POSITIONS,
    files=st.lists(FILES, max_size=3).map(tuple),
    records_in=COUNTS,
    rows_out=COUNTS,
    quarantined=COUNTS,
    quarantine_digest=st.text(),
    run_id=st.text(),
    columns=st.lists(st.text(), max_size=3).map(tuple),
    version=st.just(manifest.VERSION),
)


@given(MANIFESTS)
def test_what_is_written_is_read_back(one: Manifest) -> None:
    again = Manifest.from_json(one.to_json())
    assert again == one
    assert again.identity == one.identity


def test_a_file_name_that_is_no_utf8_is_written_and_read_back() -> None:
    odd = replace(ONE, files=(OutputFile("mal\udcff.json", 1, "", 1),))
    assert rb"mal\udcff.json" in odd.to_json()
    assert Manifest.from_json(odd.to_json()) == odd


def test_equal_positions_are_one_text_whatever_their_order() -> None:
    assert manifest.canonical({"b": 1, "a": {"y": 2, "x": 1}}) == '{"a":{"x":1,"y":2},"b":1}'
    assert manifest.digest({"a": 1, "b": 2}) == manifest.digest({"b": 2, "a": 1})
    assert manifest.digest(["a", "b"]) != manifest.digest(["ab"])


@pytest.mark.parametrize(
    "field",
    [
        f
        for f in json.loads(ONE.to_json())
        if f not in ("version", "notes", "headers", "partitions", "dropped_late")
    ],
)
def test_a_missing_field_is_refused(field: str) -> None:
    raw = json.loads(ONE.to_json())
    del raw[field]
    with pytest.raises(DataError, match="unreadable manifest"):
        Manifest.from_json(json.dumps(raw).encode(), "here")


def changed(**values: Any) -> bytes:
    return json.dumps({**json.loads(ONE.to_json()), **values}).encode()


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"null", b"[]", b"7", b'"text"', b"\xff", b"{}", ONE.to_json()[:-20]]
    + [changed(version=v) for v in (0, 2, "1", None)]
    + [changed(files=f) for f in (None, 7, [{}], [7], [{"name": "x"}])]
    + [changed(besides=1)],
)
def test_what_is_no_manifest_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        Manifest.from_json(data, "/home/x/_MANIFEST")
    assert caught.value.where == "/home/x/_MANIFEST"


def test_published_lists_batches_in_order_and_nothing_else(tmp_path: Path) -> None:
    output = Layout(tmp_path).output("s", 1)
    names = ["batch=000000010", "batch=000000002", "batch=1000000000"]
    others = [
        "batch=2",
        "batch=0000000002",
        "batch=000000003.20261123T201500123Z-1f2e3d4c",
        ".batch=000000004",
        "batch=-00000001",
        "gen=0001",
        "x",
    ]
    for name in names + others:
        (output / name).mkdir(parents=True)
    assert manifest.published(output) == {
        2: output / names[1],
        10: output / names[0],
        1_000_000_000: output / names[2],
    }
    assert manifest.published(tmp_path / "none") == {}


def test_a_published_batch_without_manifest_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "batch=000000007"
    folder.mkdir()
    with pytest.raises(DataError, match="without its manifest") as caught:
        manifest.read(folder)
    assert caught.value.where == str(folder)
    (folder / "_MANIFEST").write_bytes(ONE.to_json())
    assert manifest.read(folder) == ONE
