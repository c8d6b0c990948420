"""Reads from the checkpoint what a batch consists of: its files or offset ranges, and the identity that
follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.contract.commit import checkpoint
from jobs.contract.commit.manifest import Identity, canonical, digest


@dataclass(frozen=True)
class BatchPlan:
    """`files`: planned files of a file source, in the order of its log. `start`, `end`: positions as Spark
    writes them, see manifest.Position."""

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
        """Digest of the admitted names, or of the offset ranges. Admitted names contain sequence and content
        hash, so equal names mean equal content."""
        if "logOffset" in self.end:
            return digest(sorted(f.name for f in self.files))
        return digest({"start": self.start, "end": self.end})

    def ranges(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Of a Kafka source: (topic, partition) -> (first offset, offset after the last). A partition that
        was created since the batch before starts at 0, as Spark reads it."""
        return {
            (topic, partition): (int(self.start.get(topic, {}).get(partition, 0)), int(until))
            for topic, partitions in self.end.items()
            if isinstance(partitions, dict)
            for partition, until in partitions.items()
        }

    @property
    def new_partitions(self) -> bool:
        """Whether a Kafka partition appeared in this batch. The checkpoint does not contain its first
        offset."""
        return any(
            p not in self.start.get(t, {}) for t, ps in self.end.items() if isinstance(ps, dict) for p in ps
        )


def read(path: Path, batch: int, query_id: str) -> BatchPlan:
    """The plan of `batch` in the checkpoint at `path`. Raises CheckpointDamaged when the checkpoint no longer
    contains it."""
    end = checkpoint.read_offset(path, batch).position
    start = checkpoint.read_offset(path, batch - 1).position if batch > 0 else first_position(path, end)
    files: list[checkpoint.SourceEntry] = []
    if "logOffset" in end:
        files = checkpoint.planned_entries(path, int(start.get("logOffset", -1)), int(end["logOffset"]))
    return BatchPlan(query_id, batch, start, end, tuple(files))


def first_position(path: Path, end: dict[str, Any]) -> dict[str, Any]:
    """The position before batch 0: {} for files. For Kafka, the offsets that Spark wrote to its source log at
    the first start."""
    return {} if "logOffset" in end or not end else checkpoint.initial_kafka_position(path)


def of(
    query_id: str,
    batch: int,
    start: dict[str, Any],
    end: dict[str, Any],
    entries: Mapping[int, list[checkpoint.SourceEntry]],
) -> BatchPlan:
    """The plan of `batch`, made from its positions. `entries`: log offset -> files of the source log."""
    numbers = range(int(start.get("logOffset", -1)) + 1, int(end.get("logOffset", -1)) + 1)
    return BatchPlan(query_id, batch, start, end, tuple(e for n in numbers for e in entries.get(n, ())))
