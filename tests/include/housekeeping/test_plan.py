"""How the steps of a plan are listed for a person."""

from __future__ import annotations

from include.housekeeping.plan import SHOWN, listed
from include.state.journal import Step


def step(stage: int, verb: str, source: str, target: str = "", size_bytes: int = 1) -> Step:
    return Step(stage, verb, source, target, size_bytes)  # type: ignore[arg-type]


FILES = [step(0, "move", f"data/archivo/s/{number}", f"data/en_proceso/s/{number}") for number in range(150)]
BATCHES = [
    step(1 + n, "move", f"data/salida/s/gen=0001/batch={n}", f"data/retirado/s/id/salida/batch={n}", 0)
    for n in range(7)
]
END = [
    step(8, "remove", "data/retirado/s/old", size_bytes=9),
    step(9, "write", "", "state/generations/s/gen=0002.json", 0),
]


def test_a_short_plan_has_a_row_a_step() -> None:
    assert listed(FILES[:SHOWN]) == [("0", "move", s.source, s.target, 1) for s in FILES[:SHOWN]]


def test_a_long_plan_leaves_no_kind_of_step_out() -> None:
    assert listed([*FILES, *BATCHES, *END]) == [
        ("0", "move", "150 of data/archivo/s/", "data/en_proceso/s/", 150),
        ("1-7", "move", "7 of data/salida/s/gen=0001/", "data/retirado/s/id/salida/", 0),
        ("8", "remove", "data/retirado/s/old", "-", 9),
        ("9", "write", "-", "state/generations/s/gen=0002.json", 0),
    ]


def test_every_step_is_listed_when_asked_for() -> None:
    assert [row[2] for row in listed([*FILES, *BATCHES], every=True)] == [
        s.source for s in (*FILES, *BATCHES)
    ]
