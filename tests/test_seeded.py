"""Long matrices: `./caudal test` takes a part of them, and `./caudal torture --tests` the rest."""

from __future__ import annotations

import pytest
import typer

from include.cli.build import test as verb
from include.cli.build import torture
from tests.matrix import long, seeded


def test_a_seeded_part_is_short_and_all_the_rest_is_marked() -> None:
    values = [*range(20), ("a", 1)]
    made = seeded(values, 4)
    assert [one.values for one in made] == [
        value if isinstance(value, tuple) else (value,) for value in values
    ]
    assert [len(one.marks) for one in made].count(0) == 4
    assert (
        {mark.name for one in made for mark in one.marks}
        == {"torture"}
        == {mark.name for mark in long(1).marks}
    )
    assert [one.marks for one in seeded(values, 4)] == [one.marks for one in made]
    assert all("slow" in {mark.name for mark in one.marks} for one in seeded(values, 4, pytest.mark.slow))


def test_torture_runs_the_rest_and_ends_as_pytest_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks only at the arguments for pytest, because a real run takes an hour. A failure is passed on."""
    given: list[list[str]] = []

    def run(words: list[str], checks: dict[str, list[str]]) -> None:
        assert checks == {}
        given.append(words)
        if len(given) == 2:
            raise typer.Exit(1)

    monkeypatch.setattr(verb, "run", run)
    assert torture.command(tests=True) == 0
    with pytest.raises(typer.Exit):
        torture.command(tests=True)
    assert given[0][:2] == ["-m", "torture"]
