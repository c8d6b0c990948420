"""The demo's comparison: exact for its own invoices, blind to all others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include import settings
from include.samples import facturas
from include.samples.facturas import Sample
from include.services import demo
from include.settings import Settings

START_MS = 1_795_000_000_000


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return settings.load({"CAUDAL_HOME": str(tmp_path)})


def publish(config: Settings, batch: int, rows: list[dict[str, object]]) -> None:
    folder = config.layout.batch(demo.FILES_STREAM, 1, batch)
    folder.mkdir(parents=True)
    (folder / "part-00000.json").write_text(
        "".join(json.dumps({k: v for k, v in row.items() if v is not None}) + "\n" for row in rows)
    )
    (folder / "_MANIFEST").write_text("{}")


def found(config: Settings, sample: Sample) -> dict[str, tuple[float, float]]:
    return {
        c.what: (c.expected, c.found) for c in demo._check_lines(config, demo.FILES_STREAM, sample, START_MS)
    }


def test_the_same_lines_agree_whatever_else_lies_in_the_output(config: Settings) -> None:
    sample, earlier, other = (
        facturas.generate(20, 1, START_MS),
        facturas.generate(20, 1, START_MS - 10**9),
        facturas.generate(5, 2, START_MS),
    )
    publish(config, 0, earlier.expected_lines())
    publish(config, 1, sample.expected_lines())
    publish(config, 2, other.expected_lines())
    checks = demo._check_lines(config, demo.FILES_STREAM, sample, START_MS)
    assert all(check.agrees for check in checks)
    assert {c.what: c.found for c in checks} == {
        "invoices": 20,
        "lines": sample.totals.lines,
        "value of all lines": sample.totals.total_value,
        "home deliveries": sample.totals.home_deliveries,
        "lines that differ": 0,
    }


def test_a_lost_line_a_repeated_one_and_a_changed_one_are_each_seen(config: Settings) -> None:
    sample = facturas.generate(20, 1, START_MS)
    rows = sample.expected_lines()
    publish(config, 0, [{**rows[1], "TotalValue": rows[1]["TotalValue"] + 1}, *rows[2:], rows[2]])
    seen = found(config, sample)
    assert seen["lines"] == (len(rows), len(rows))
    assert seen["lines that differ"] == (0, 4)  # lost, repeated, and the changed one on both sides


def test_nothing_published_is_nothing_found(config: Settings) -> None:
    sample = facturas.generate(3, 1, START_MS)
    assert found(config, sample)["lines"] == (sample.totals.lines, 0)
