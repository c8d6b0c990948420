"""The closing batch: a batch without input whose watermark stands at the end of the last open window, so that
Spark publishes every window that is open and forgets it. It is planned here, as the next entry of Spark's
offset log: the positions of the newest one, a later watermark.

Spark runs its newest offset whatever it holds and keeps a watermark for ever, so nothing else is needed: a
crash at any point leaves either no such offset, or one that the next run works on like any batch that was cut
short.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jobs.contract.commit import checkpoint
from jobs.contract.disk import storage

_MARK = "caudal.closing"  # beside the settings Spark keeps with a batch; it reads only those it knows


def is_closing(path: Path, batch: int) -> bool:
    """Whether `batch` of the checkpoint at `path` was planned here. Raises CheckpointDamaged."""
    checkpoint.read_offset(path, batch)
    return _MARK in _meta(path, batch).get("conf", {})


def is_due(path: Path) -> bool:
    """Whether something was read since the last closing batch; a newest offset that is one, or none, leaves
    nothing to close."""
    newest = checkpoint.read(path).newest_offset
    return newest >= 0 and not is_closing(path, newest)


def plan(path: Path, watermark_ms: int, now_ms: int) -> int:
    """Writes the offset of a closing batch behind the newest one, which must be committed; its number.
    Durable when this returns."""
    newest = checkpoint.read(path).newest_offset
    meta = _meta(path, newest)
    meta |= {
        "batchWatermarkMs": watermark_ms,
        "batchTimestampMs": now_ms,
        "conf": {**meta.get("conf", {}), _MARK: "true"},
    }
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
    found: dict[str, Any] = json.loads(_lines(path, batch)[1])
    return found


def _lines(path: Path, batch: int) -> list[str]:
    return (path / "offsets" / str(batch)).read_text(encoding="utf-8").split("\n")
