"""`./caudal run`, archive and restore as processes.

A run archives what it has committed. If it is killed meanwhile, the next run finishes that.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from include import streams
from include.account import where
from include.samples import facturas as samples
from include.state import journal
from include.torture.runs import Home, multiset
from tests.integration.command_line import caudal_of

pytestmark = pytest.mark.spark


def places(home: Home) -> list[tuple[str, str, int | None]]:
    found = [
        f
        for n in (1, 2)
        for f in where.find(home.settings.layout, [streams.get(home.stream)], where.question(f"f{n}.json"))
    ]
    return [(f.original_name, f.place, f.batch) for f in found]


@pytest.mark.torture
@pytest.mark.slow
def test_runs_archive_what_they_have_committed_and_a_killed_archiving_is_finished_by_the_next_run(
    tmp_path: Path,
) -> None:
    home, stream = Home.at(tmp_path / "home"), "facturas_ficheros"
    one, two = (samples.generate(20, seed=seed, start_ms=1_700_000_000_000) for seed in (1, 2))
    expected = multiset(one.expected_lines())
    home.put("f1.json", one.documents)
    code, out = caudal_of(home.settings, "run", stream)
    assert code == 0, out
    assert f"{stream}: archived 1 files" in out
    assert places(home) == [("f1.json", "archivo", 0)]

    home.put("f2.json", two.documents)
    assert caudal_of(home.settings, "run", stream, failpoint="intent")[0] == -9
    expected += multiset(two.expected_lines())
    assert home.rows() == expected, "published before anything was archived"
    assert [op.kind for op in journal.open_operations(home.settings.layout.journal(stream))] == ["archive"]
    assert places(home) == [("f1.json", "archivo", 0), ("f2.json", "en_proceso", 1)]
    code, out = caudal_of(home.settings, "run", stream)
    assert (code, "which had been cut short" in out, "Spark was not started" in out) == (0, True, True), out
    assert places(home) == [("f1.json", "archivo", 0), ("f2.json", "archivo", 1)]

    code, out = caudal_of(home.settings, "restore", stream, "--batch", "1", "--apply")
    assert code == 0, out
    assert places(home) == [("f1.json", "archivo", 0), ("f2.json", "en_proceso", 1)]
    code, out = caudal_of(home.settings, "run", stream)
    assert (code, "Spark was not started" in out, "archived 1 files" in out) == (0, True, True), out
    assert places(home) == [("f1.json", "archivo", 0), ("f2.json", "archivo", 1)]
    assert home.rows() == expected
    assert home.duckdb_count() == expected.total()
