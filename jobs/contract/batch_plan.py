"""What the checkpoint says a batch consists of: the files or offset ranges Spark has planned, and the identity that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.contract import checkpoint
from jobs.contract.manifest import Identity, canonical, digest


@dataclass(frozen=True)
class BatchPlan:
    """`files`: planned files in log order (file source); `start`, `end`: positions, in the source's own form."""

    query_id: str
    batch: int
    start: dict[str, Any]
    end: dict[str, Any]
    files: tuple[checkpoint.SourceEntry, ...]

    @property
    def identity(self) -> Identity:
        return Identity(self.query_id, canonical(self.start), canonical(self.end), self.input_digest)

    @property
    def input_digest(self) -> str:
        """Over the admitted names (unique: they carry sequence and content hash), or over the offset ranges."""
        if "logOffset" in self.end:
            return digest(sorted(f.name for f in self.files))
        return digest({"start": self.start, "end": self.end})

    def ranges(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Kafka: (topic, partition) -> (first offset, offset after the last). A partition made meanwhile starts at 0."""
        return {
            (topic, partition): (int(self.start.get(topic, {}).get(partition, 0)), int(until))
            for topic, partitions in self.end.items()
            if isinstance(partitions, dict)
            for partition, until in partitions.items()
        }


def read(path: Path, batch: int, query_id: str) -> BatchPlan:
    """The plan of `batch` in the checkpoint at `path`. Raises CheckpointDamaged when the checkpoint no longer tells it."""
    end = checkpoint.read_offset(path, batch).position
    start = checkpoint.read_offset(path, batch - 1).position if batch > 0 else _first_position(path, end)
    files: list[checkpoint.SourceEntry] = []
    if "logOffset" in end:
        files = checkpoint.planned_entries(path, int(start.get("logOffset", -1)), int(end["logOffset"]))
    return BatchPlan(query_id, batch, start, end, tuple(files))


def _first_position(path: Path, end: dict[str, Any]) -> dict[str, Any]:
    """Files begin before everything; Kafka's first offsets are what Spark wrote to its source log at the first start."""
    return {} if "logOffset" in end or not end else checkpoint.initial_kafka_position(path)


def retained(state: checkpoint.Checkpoint) -> dict[int, BatchPlan]:
    """Plans of all batches whose start and end the checkpoint still holds."""
    if state.query_id is None:
        return {}
    known = [b for b in state.offsets if b == 0 or b - 1 in state.offsets]
    return {b: read(state.path, b, state.query_id) for b in known}


