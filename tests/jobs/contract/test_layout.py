"""Paths of a home and their inverse."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract.disk import layout
from jobs.contract.disk.layout import FOLDERS, Layout

HOME = Path("/home/caudal")
ARGUMENTS = {
    "folder": "f",
    "stream": "s",
    "generation": 1,
    "batch": 7,
    "name": "n",
    "run_id": "20261123T201500123Z-1f2e3d4c",
}


@given(st.integers(0, 10**12))
def test_names_and_numbers_are_each_others_inverse(number: int) -> None:
    assert layout.parse_batch(layout.batch_name(number)) == number
    assert layout.parse_generation(layout.generation_name(number)) == number


@given(st.text() | st.from_regex(r"(batch|gen)=[0-9]{1,12}\s?", fullmatch=True))
def test_a_number_is_read_from_its_own_name_alone(name: str) -> None:
    """Two folders must never stand for one number."""
    batch, generation = layout.parse_batch(name), layout.parse_generation(name)
    assert batch is None or layout.batch_name(batch) == name
    assert generation is None or layout.generation_name(generation) == name


def test_batches_sort_by_name_as_by_number() -> None:
    numbers = [0, 9, 10, 99, 100, 999_999_999]
    assert sorted(map(layout.batch_name, reversed(numbers))) == [layout.batch_name(n) for n in numbers]


@pytest.mark.parametrize(
    "name",
    [
        "batch=7",
        "batch=0000000007",
        "batch=00000000٧",
        "batch=000000007\n",
        "batch=000000007.x",
        "batch=+00000007",
        "BATCH=000000007",
        "",
    ],
)
def test_other_names_are_no_batch(name: str) -> None:
    assert layout.parse_batch(name) is None


@pytest.mark.parametrize("name", ["a", "facturas", "a_1", "z" * 63])
def test_plain_names_are_names(name: str) -> None:
    assert layout.is_name(name)


HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/a",
    "a b",
    "A",
    "1a",
    "_a",
    "a-b",
    "a\n",
    "a\0",
    "ñ",
    "a.b",
    "z" * 64,
    "a*",
    "a;b",
    "$a",
    "а",
]  # the last one is Cyrillic


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_no_names(name: str) -> None:
    assert not layout.is_name(name)


def paths() -> dict[str, Path]:
    """Every path a Layout can tell, by its method's name."""
    one = Layout(HOME)
    found = {n: getattr(one, n) for n, v in vars(Layout).items() if isinstance(v, property)}
    for name, method in inspect.getmembers(one, inspect.ismethod):
        if not name.startswith("_"):
            found[name] = method(**{p: ARGUMENTS[p] for p in inspect.signature(method).parameters})
    return found


def test_every_path_lies_in_the_home_and_is_one_of_its_own() -> None:
    found = paths()
    assert all(path.is_relative_to(HOME) and path != HOME for path in found.values())
    assert len(set(found.values())) == len(found) >= 20


def test_data_has_the_folders_of_the_house_and_no_other() -> None:
    below = {
        path.relative_to(HOME / "data").parts[0]
        for path in paths().values()
        if path.is_relative_to(HOME / "data") and path != HOME / "data"
    }
    assert below | {"retirado"} == set(FOLDERS)


def test_the_way_of_a_batch() -> None:
    one = Layout(HOME)
    assert one.batch("s", 1, 7) == HOME / "data/salida/s/gen=0001/batch=000000007"
    assert one.staged_batch("s", 1, 7, "r") == HOME / "data/_staging/s/gen=0001/batch=000000007.r"
    assert one.checkpoint("s", 1) == HOME / "data/checkpoints/s/gen=0001"
    assert one.refused_records("s", 1, 7) == HOME / "data/cuarentena/s/registros/gen=0001/batch=000000007"
    assert layout.parse_batch(one.staged_batch("s", 1, 7, "r").name) is None, (
        "a staged batch is never taken for a published one"
    )
