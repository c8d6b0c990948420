"""Plans the closing batch: a batch without input whose watermark is the end of the last open window.

Spark then publishes every open window and drops its state. The batch is written here as the next entry of
Spark's offset log, with the positions of the newest entry and the later watermark. Nothing else is needed:
Spark runs its newest offset whatever it contains, and never lowers a watermark. A crash leaves either no such
offset, or one that the next run executes like any interrupted batch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobs.contract.commit import checkpoint
from jobs.contract.disk import storage

# Stored among the settings that Spark keeps with a batch. Spark ignores settings that it does not know.
_MARK = "caudal.closing"


def is_closing(path: Path, batch: int) -> bool:
    """Whether `batch` of the checkpoint at `path` was planned here. Raises CheckpointDamaged."""
    checkpoint.read_offset(path, batch)
    return _MARK in _meta(path, batch).get("conf", {})


def is_due(path: Path) -> bool:
    """Whether something was read since the last closing batch. Otherwise no window can be open."""
    newest = checkpoint.read(path).newest_offset
    return newest >= 0 and not is_closing(path, newest)


def plan(path: Path, watermark_ms: int, now_ms: int) -> int:
    """Writes the offset of a closing batch after the newest one, which must be committed. Returns its number.
    The offset is durable when this returns."""
    newest = checkpoint.read(path).newest_offset
    meta = _meta(path, newest)
    meta |= {
        "batchWatermarkMs": watermark_ms,
        "batchTimestampMs": now_ms,
        "conf": {**meta.get("conf", {}), _MARK: "true"},
    }
    # The lines of the positions are copied unchanged: the closing batch starts and ends where the newest
    # batch ended.
    version, _, *sources = _lines(path, newest)
    text = "\n".join([version, json.dumps(meta, separators=(",", ":")), *sources])
    storage.write_new(path / "offsets" / str(newest + 1), text.encode())
    return newest + 1


def watermark_ms(path: Path) -> int:
    """The watermark after the newest batch, which must be committed. Raises CheckpointDamaged."""
    state = checkpoint.read(path)
    text = (path / "commits" / str(state.newest_commit)).read_text(encoding="utf-8").split("\n")[1]
    return max(
        int(json.loads(text).get("nextBatchWatermarkMs", 0)),
        checkpoint.read_offset(path, state.newest_offset).watermark_ms,
    )


def _meta(path: Path, batch: int) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads(_lines(path, batch)[1])
    return meta


def _lines(path: Path, batch: int) -> list[str]:
    return (path / "offsets" / str(batch)).read_text(encoding="utf-8").split("\n")
