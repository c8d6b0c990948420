"""The decision page's table is what the protocol answers today."""

from __future__ import annotations

from pathlib import Path

from tests.jobs.contract.oracle import REFUSED
from tests.jobs.contract.table import HAND, table
from tests.jobs.contract.test_protocol_model import LEFT_OUT

PAGE = Path(__file__).parents[3] / "docs/decisions/0001-commit-protocol.md"


def test_the_pages_table_is_the_protocols_answer() -> None:
    between = PAGE.read_text(encoding="utf-8").partition("<!-- table -->\n")[2].partition("\n<!-- end -->")[0]
    assert between == table(), "python -m tests.jobs.contract.table prints the table as it must be"


def test_every_refusal_has_its_row() -> None:
    assert HAND.keys() == REFUSED.keys()


def test_every_rule_the_model_can_leave_out_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [rule for rule in LEFT_OUT if f"| {rule} |" not in page] == []
    for rule, (_, kind, consequence) in LEFT_OUT.items():
        assert f"| {rule} | {kind} | {consequence} |" in page
