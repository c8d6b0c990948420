"""Checks side by side: in order, under a budget, and whatever they raise."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from include.doctor import findings
from include.doctor.findings import Finding, ok
from jobs.contract.errors import TopicMissing


def fine() -> Iterator[Finding]:
    yield ok("fine", "all is well")


def foreseen() -> Iterator[Finding]:
    yield ok("foreseen", "the first part")
    raise TopicMissing("no topic facturas", "127.0.0.1:9092")


def test_findings_come_in_the_order_of_the_checks_whichever_ends_first() -> None:
    def slow() -> Iterator[Finding]:
        time.sleep(0.2)
        yield ok("slow", "late, but in time")

    assert [f.check for f in findings.run({"slow": slow, "fine": fine}, 5.0)] == ["slow", "fine"]


def test_a_foreseen_error_keeps_what_was_found_before_and_brings_its_own_way_out() -> None:
    assert findings.run({"foreseen": foreseen}, 5.0) == [
        Finding("foreseen", "ok", "the first part"),
        Finding("foreseen", "wrong", "no topic facturas [127.0.0.1:9092]", "./caudal topics create"),
    ]


def test_a_check_that_crashes_is_a_finding_and_the_others_go_on() -> None:
    def crashes() -> Iterator[Finding]:
        raise ZeroDivisionError("division by zero")

    found = findings.run({"crashes": crashes, "fine": fine}, 5.0)
    assert [(f.check, f.state, f.what) for f in found] == [
        ("crashes", "wrong", "this check itself failed: ZeroDivisionError: division by zero"),
        ("fine", "ok", "all is well"),
    ]


def test_a_check_that_hangs_is_named_when_the_budget_is_over_and_another_may_have_a_longer_one() -> None:
    released = threading.Event()

    def hangs() -> Iterator[Finding]:
        released.wait(30)
        yield ok("hangs", "never seen")

    def patient() -> Iterator[Finding]:
        time.sleep(0.5)
        yield ok("patient", "waited for")

    start = time.monotonic()
    found = findings.run({"hangs": hangs, "patient": patient, "fine": fine}, 0.2, {"patient": 20.0})
    assert time.monotonic() - start < 10
    released.set()
    assert [(f.check, f.state, f.what) for f in found] == [
        ("hangs", "wrong", "no answer within 0.2 s"),
        ("patient", "ok", "waited for"),
        ("fine", "ok", "all is well"),
    ]


def test_a_check_without_a_finding_is_silent_not_late() -> None:
    assert findings.run({"silent": list}, 5.0) == []
