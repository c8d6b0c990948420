"""The form of reprocess_quarantine: its defaults, its limits, and that only the plan which was seen is
carried out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.airflow_kit import managing, reprocessing
from include.state import refused_records
from jobs.contract.errors import Refused, UsageError
from tests.include.housekeeping.handmade import NOW, STREAM, Hand
from tests.include.housekeeping.test_quarantine_crash import quarantined


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """One batch with two malformed records and one that lacks a field."""
    monkeypatch.setattr(streams, "collect", lambda: ({"s": STREAM}, ()))
    return quarantined(Hand(tmp_path / "home"))


def form(**values: Any) -> dict[str, Any]:
    return {**{name: param.value for name, param in reprocessing.params().items()}, **values}


def test_the_form_opens_with_all_records_of_the_first_stream(hand: Hand) -> None:
    assert form() == {"stream": "s", "reasons": "", "since": "", "files": False}


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (
            "reasons",
            ["", "malformed", "malformed,items-count", "malformed, no-line-items"],
            [",", "a b", "a;b", "{{ x }}", "a," * 3],
        ),
        (
            "since",
            ["", "2026-11-24", "2026-11-24T08:00", "2026-11-24T08:00:05"],
            ["now", "24.11.2026", "2026-11-24 08:00", "2026-11-24T08:00Z; x"],
        ),
    ],
)
def test_the_form_takes_codes_and_times_and_no_other_text(
    hand: Hand, field: str, good: list[str], bad: list[str]
) -> None:
    pattern = reprocessing.params()[field].schema["pattern"]
    assert [text for text in (*good, *bad) if re.search(pattern, text)] == good


def test_reasons_and_since_choose(hand: Hand) -> None:
    found = reprocessing.plan(hand.settings, form(reasons="malformed, other"), NOW)
    assert found.summary[0] == "2 refused records (2 malformed)"
    assert not reprocessing.plan(hand.settings, form(since="2999-01-01"), NOW).steps
    with pytest.raises(UsageError, match="is not a time"):
        reprocessing.plan(hand.settings, form(since="2026-13-45"), NOW)


def test_the_plan_that_was_seen_is_done_once_and_no_other(hand: Hand) -> None:
    seen = managing.proposal(reprocessing.plan(hand.settings, form(reasons="malformed"), NOW))
    assert "reproceso-" in seen["body"] and "2 malformed" in seen["body"]
    with pytest.raises(Refused, match="moved on"):
        reprocessing.apply(hand.settings, form(), seen["digest"], NOW)
    reprocessing.apply(hand.settings, form(reasons="malformed"), seen["digest"], NOW)
    (batch,) = refused_records.batches(hand.layout, "s")
    assert [mark.reasons for mark in batch.marks] == [("malformed",)]
    assert not reprocessing.plan(hand.settings, form(reasons="malformed"), NOW).steps
