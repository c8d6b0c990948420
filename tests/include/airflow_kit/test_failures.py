"""Caudal's errors as Airflow's: one line, and a retry only where it can help."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.airflow_kit import failures
from jobs.contract import errors


def test_the_line_of_a_report_s_error_has_code_what_where_and_both_ways_out() -> None:
    error = errors.PlannedFileMissing("7 bytes are gone", "en_proceso/f/0001")
    assert failures.line(error.to_json()) == (
        "planned-file-missing: 7 bytes are gone [en_proceso/f/0001] -> command line: if the file is in "
        "archivo: "
        "./caudal restore STREAM --file NAME --apply; else put it back into en_proceso, unchanged; "
        "then ./caudal run STREAM; "
        "Airflow: The task stays red until somebody looks: ./caudal doctor"
    )


def test_an_error_without_place_or_ways_and_with_line_ends_is_still_one_line() -> None:
    assert (
        failures.line({"code": "x", "what": "first\nsecond", "where": "", "cli": "", "ui": ""})
        == "x: first second"
    )


@pytest.mark.parametrize(
    "kind", [errors.BrokerDown, errors.DiskFull, errors.RunFailed, errors.LeaseHeld, errors.ServiceError]
)
def test_what_may_succeed_later_is_retried(kind: type[errors.CaudalError]) -> None:
    with pytest.raises(AirflowException) as raised, failures.one_line():
        raise kind("x")
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize(
    "kind",
    [
        errors.UsageError,
        errors.ConfigError,
        errors.DataError,
        errors.BatchConflict,
        errors.TopicMissing,
        errors.PairingBroken,
    ],
)
def test_what_would_fail_again_is_not_retried(kind: type[errors.CaudalError]) -> None:
    with pytest.raises(AirflowFailException), failures.one_line():
        raise kind("x")


@pytest.mark.parametrize(
    ("exit_code", "retried"),
    [(1, True), (64, False), (65, False), (69, True), (70, True), (78, False), (137, True), (-9, True)],
)
def test_an_unknown_code_is_judged_by_its_exit_code(exit_code: int, retried: bool) -> None:
    assert failures.transient("nobody-knows", exit_code) is retried


def test_an_error_that_was_not_foreseen_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), failures.one_line():
        _ = 1 // 0
