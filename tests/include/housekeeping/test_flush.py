"""A file is durable before the journal names it: a power cut must not leave a step with nothing to move."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.housekeeping import engine
from include.state import journal
from include.state.journal import Operation, Step
from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout


@pytest.mark.parametrize("folder", [False, True])
def test_sources_are_flushed_before_the_intent(
    folder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = {
        "file": storage.fsync_file,
        "dir": storage.fsync_dir,
        "system": engine.syscalls.syncfs,
        "begin": journal.begin,
    }
    monkeypatch.setattr(storage, "fsync_file", lambda path: (order.append(path.name), real["file"](path))[1])
    monkeypatch.setattr(
        storage, "fsync_dir", lambda path: (order.append(f"{path.name}/"), real["dir"](path))[1]
    )
    monkeypatch.setattr(
        engine.syscalls, "syncfs", lambda path: (order.append("all"), real["system"](path))[1]
    )
    monkeypatch.setattr(journal, "begin", lambda *words: (order.append("intent"), real["begin"](*words))[1])
    source = tmp_path / "data" / "commits" / "8"
    source.parent.mkdir(parents=True)
    if folder:
        source.mkdir()
    else:
        source.write_text("v1")
    step = Step(0, "move", "data/commits/8", "data/retirado/8")
    engine.apply(Layout(tmp_path), "s", Operation("1", "rewind", 1, "2026-11-24"), [step], datetime.now(UTC))
    before = order[: order.index("intent")]
    assert ("all" in before) if folder else ({"8", "commits/"} <= {*before})
