"""How many refused records are too many: shares, numbers, and what the report says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.contract.commit.manifest import Identity
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import BatchHeld, BrokenStream, CaudalError, DataError, TooManyRefused, tree
from jobs.contract.run import thresholds
from jobs.contract.run.report import Report
from jobs.contract.run.thresholds import Acceptance
from jobs.contract.stream import Files, Stream, Thresholds

THIS, OTHER = Identity("q", "{}", '{"logOffset":0}', "d"), Identity("q", "{}", '{"logOffset":1}', "e")


def stream(limits: Thresholds) -> Stream:
    return Stream("s", Files(), Files(), thresholds=limits)


def report(records_in: int, quarantined: int, error: dict[str, str] | None = None) -> Report:
    return Report(
        "s",
        "r",
        "failed" if error else "done",
        "now",
        records_in=records_in,
        quarantined=quarantined,
        error=error,
    )


@pytest.mark.parametrize(
    ("records_in", "refused", "share", "records", "over"),
    [
        (100, 5, 0.05, None, False),
        (100, 6, 0.05, None, True),
        (0, 0, 0.0, 0, False),
        (1, 1, 0.0, None, True),
        (1, 1, None, 1, False),
        (1000, 2, 0.05, 1, True),
        (10, 10, 1.0, None, False),
        (10, 10, None, None, False),
    ],
)
def test_a_limit_is_passed_by_more_than_it(
    records_in: int, refused: int, share: float | None, records: int | None, over: bool
) -> None:
    assert bool(thresholds.over(records_in, refused, share, records)) == over


@pytest.mark.parametrize(
    "wrong",
    [
        {"warn_share": 1.5},
        {"fail_share": -0.1},
        {"warn_share": True},
        {"fail_records": -1},
        {"warn_records": 1.0},
        {"when": "later"},
        {"when": "before"},
    ],
)
def test_a_row_with_wrong_thresholds_is_no_row(wrong: dict[str, object]) -> None:
    with pytest.raises(BrokenStream):
        Thresholds(**wrong)  # type: ignore[arg-type]


def test_a_run_over_its_fail_limit_is_failed_by_name_and_one_over_its_warn_limit_is_done_with_a_warning() -> (
    None
):
    row = stream(Thresholds(warn_records=1, fail_share=0.5))
    assert thresholds.judged(report(10, 1), row) == report(10, 1)
    warned = thresholds.judged(report(10, 2), row)
    assert (warned.status, warned.warnings) == (
        "done",
        ("2 of 10 records were refused, the row allows 1: ./caudal quarantine list s",),
    )
    failed = thresholds.judged(report(10, 6), row)
    assert (failed.status, failed.exit_code, failed.warnings) == ("failed", 65, ())
    assert failed.error is not None
    assert (failed.error["code"], failed.error["what"]) == (
        "too-many-refused",
        "6 of 10 records were refused (60.0%), the row allows 50.0%",
    )
    assert "quarantine list s;" in failed.error["cli"]


def test_beside_another_failure_it_is_a_warning_and_a_row_that_asks_before_only_warns_afterwards() -> None:
    other = {"code": "run-failed"}
    judged = thresholds.judged(report(10, 6, other), stream(Thresholds(fail_records=1)))
    assert judged.error == other
    assert judged.warnings[0].startswith("6 of 10 records were refused")
    before = thresholds.judged(
        report(10, 6), stream(Thresholds(fail_records=1, warn_records=1, when="before"))
    )
    assert (before.status, len(before.warnings)) == ("done", 1)


def test_a_batch_is_held_until_this_very_batch_is_accepted_with_as_many(tmp_path: Path) -> None:
    layout, row = Layout(tmp_path), stream(Thresholds(fail_records=1, when="before"))

    def ask(identity: Identity, refused: int) -> None:
        thresholds.require_allowed(layout, row, 1, 7, identity, 10, refused)

    ask(THIS, 1)
    with pytest.raises(
        BatchHeld,
        match=r"batch 7 of generation 1 is held: 2 of 10 "
        r".*show STREAM --batch 7; then .*accept STREAM --batch 7",
    ):
        ask(THIS, 2)
    folder = layout.accepted("s", 1, 7)
    folder.mkdir(parents=True)
    storage.write_new(folder / "op.json", Acceptance(THIS, 2, "now").to_json().encode())
    ask(THIS, 2)
    for identity, refused in ((OTHER, 2), (THIS, 3)):
        with pytest.raises(BatchHeld):
            ask(identity, refused)
    (folder / "op.json").write_text("{")
    with pytest.raises(DataError, match="unreadable acceptance"):
        ask(THIS, 2)


def test_the_errors_stand_in_the_tree() -> None:
    assert {TooManyRefused, BatchHeld} <= set(tree())
    assert all(kind.exit_code == 65 and not kind.transient for kind in (TooManyRefused, BatchHeld))
    assert issubclass(BatchHeld, CaudalError)
