"""The form of manage_stream, its plan, and that only the plan which was seen is carried out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include import streams
from include.airflow_kit import failures, managing, tables
from include.housekeeping.plan import Kept, Plan
from include.housekeeping.sweep import Outcome
from include.state import generations
from include.state.journal import Step
from jobs.contract.errors import BrokerDown, FileChanged, Refused, UsageError
from tests.include.housekeeping.handmade import NOW, STREAM, Hand


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """One batch, done."""
    monkeypatch.setattr(streams, "collect", lambda: ({"s": STREAM}, ()))
    made = Hand(tmp_path / "home")
    made.batch(made.admit(b'{"a":1}\n'))
    return made


def form(verb: str, **values: Any) -> dict[str, Any]:
    return {**{name: param.value for name, param in managing.params().items()}, "verb": verb, **values}


def test_the_form_opens_with_nothing_chosen_that_loses_or_repeats(hand: Hand) -> None:
    opened = {name: param.value for name, param in managing.params().items()}
    assert opened == {
        "stream": "s",
        "verb": "rollover",
        "to_batch": -2,
        "generation": 0,
        "drop_state": False,
        "accept_loss": False,
        "allow_repeats": False,
    }


@pytest.mark.parametrize(
    ("verb", "values", "why"),
    [
        ("reset", {"drop_state": True}, "reset does not use drop_state"),
        ("undo", {"to_batch": 3}, "undo does not use to_batch"),
        ("rewind", {}, "rewind needs to_batch"),
        ("retire", {}, "retire needs generation"),
        ("purge", {"accept_loss": True}, "purge does not use accept_loss"),
    ],
)
def test_a_field_that_the_verb_does_not_take_or_lacks_is_refused_by_name(
    hand: Hand, verb: str, values: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        managing.plan(hand.settings, form(verb, **values), NOW)


@pytest.mark.parametrize(("verb", "values"), [("rollover", {}), ("reset", {}), ("rewind", {"to_batch": -1})])
def test_each_verb_plans_without_a_change_and_the_page_shows_every_first_step(
    hand: Hand, verb: str, values: dict[str, Any]
) -> None:
    before = sorted(map(str, hand.path.rglob("*")))
    plan = managing.plan(hand.settings, form(verb, **values), NOW)
    shown = managing.proposal(plan)
    assert plan.kind == verb and plan.steps
    assert all((step.source or step.target) in shown["body"] for step in plan.steps)
    assert sorted(map(str, hand.path.rglob("*"))) == before


def test_the_plan_that_was_seen_is_done(hand: Hand) -> None:
    seen = managing.proposal(managing.plan(hand.settings, form("rollover"), NOW))["digest"]
    done = managing.apply(hand.settings, form("rollover"), seen, NOW)
    assert done.digest == seen
    assert generations.numbers(hand.layout, "s") == [1, 2]


def test_another_plan_than_the_one_seen_is_refused_and_nothing_is_changed(hand: Hand) -> None:
    seen = managing.proposal(managing.plan(hand.settings, form("rollover"), NOW))["digest"]
    hand.batch(hand.admit(b'{"a":2}\n'))
    with pytest.raises(Refused, match="moved on"):
        managing.apply(hand.settings, form("rollover"), seen, NOW)
    assert generations.numbers(hand.layout, "s") == [1]
    assert len([path for path in hand.here.iterdir() if path.is_file()]) == 2


def test_names_of_files_stay_text_on_the_approval_page_and_cannot_colour_the_log() -> None:
    steps = (Step(0, "move", "data/en_proceso/a`|<b>\n", "data/archivo/x", 1234),)
    plan = Plan(
        "id",
        "s",
        "rollover",
        1,
        steps,
        ("*1* file <img> goes",),
        "`undo`",
        (Kept("data/[k](u)", "of _no_ batch"),),
        {},
        "",
    )
    assert tables.markdown(plan).splitlines() == [
        r"- \*1\* file \<img\> goes", "",
        "| stage | does | what | to | bytes |", "| --- | --- | --- | --- | --- |",
        r"| 0 | move | `data/en_proceso/a'\|<b>\x0a` | `data/archivo/x` | 1,234 |", "",
        r"- stays: `data/[k](u)`: of \_no\_ batch", "", r"Way back: \`undo\`",
    ]  # fmt: skip
    assert tables.printable("a\x1b[31m\n```") == "a\\x1b[31m\\x0a```"
    assert tables.lines(("file", "n"), [("a\tb", 1), ("longer", 22)]) == [
        "file    n",
        "a\\x09b  1",
        "longer  22",
    ]


def test_a_task_fails_for_failures_alone_and_is_tried_again_only_when_all_may_pass_later() -> None:
    failures.raise_failed([Outcome("s", "archive", "held", "busy"), Outcome("t", "purge", "refused", "no")])
    later = Outcome("s", "rollover", "failed", "x", error=BrokerDown("no broker", "b"))
    never = Outcome("t", "archive", "failed", "x", error=FileChanged("grew", "f"))
    with pytest.raises(AirflowException, match="broker-down") as caught:
        failures.raise_failed([later])
    assert not isinstance(caught.value, AirflowFailException)
    with pytest.raises(
        AirflowFailException, match=r"file-changed: grew \[f\].*\(and 1 more, see the table\)"
    ):
        failures.raise_failed([later, never])
