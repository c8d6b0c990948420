"""A checkpoint that is read once, under the lease, and handed on: to the pairing check, to what is waiting,
to the archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jobs.contract.commit import batch_plan, checkpoint
from jobs.contract.commit.batch_plan import BatchPlan
from jobs.contract.commit.checkpoint import Checkpoint, SourceEntry


@dataclass(frozen=True)
class LoadedCheckpoint:
    """What the checkpoint held when `load` was called. Its properties raise CheckpointDamaged.

    The source log may hold a million files, so it is streamed once, on demand, and only two things of it are
    kept: the files of retained batches, and the log offsets of `names`.
    """

    state: Checkpoint
    names: frozenset[str]

    @cached_property
    def positions(self) -> dict[int, dict[str, Any]]:
        """Retained batch -> the position it ends at; -1 -> where batch 0 begins, if batch 0 is retained."""
        path = self.state.path
        ends = {batch: checkpoint.read_offset(path, batch).position for batch in self.state.offsets}
        return ends | ({-1: batch_plan.first_position(path, ends[0])} if 0 in ends else {})

    @property
    def planned(self) -> int:
        """The file source's log offset up to which batches are planned; -1 for none."""
        return self._log_offset(self.state.newest_offset)

    @property
    def committed(self) -> int:
        """The file source's log offset up to which batches are committed; -1 if there is none, or if its
        offset is gone: then nothing is proved."""
        return self._log_offset(self.state.newest_commit)

    def _log_offset(self, batch: int) -> int:
        return int(self.positions.get(batch, {}).get("logOffset", -1)) if batch >= 0 else -1

    @cached_property
    def plans(self) -> dict[int, BatchPlan]:
        """The plan of each batch whose start and end are retained; none of a checkpoint without a query
        id."""
        query_id, ends = self.state.query_id, self.positions
        known = [batch for batch in self.state.offsets if batch - 1 in ends] if query_id else []
        return {b: batch_plan.of(query_id or "", b, ends[b - 1], ends[b], self._log[0]) for b in known}

    @property
    def logged(self) -> dict[str, int]:
        """The log offset of each of `names` that the source log has; the highest, if it has a name twice."""
        return self._log[1]

    @cached_property
    def _log(self) -> tuple[dict[int, list[SourceEntry]], dict[str, int]]:
        recent: dict[int, list[SourceEntry]] = {}
        logged: dict[str, int] = {}
        oldest = self._log_offset(min(self.positions, default=-1))
        if not self.names and self.planned < 0:  # Kafka's source log holds no files
            return recent, logged
        # without names, the lines of older files need not be parsed: a fifth of the cost
        for entry in checkpoint.all_entries(self.state.path, above=-1 if self.names else oldest):
            if entry.log_offset > oldest:
                recent.setdefault(entry.log_offset, []).append(entry)
            if entry.name in self.names:
                logged[entry.name] = max(entry.log_offset, logged.get(entry.name, -1))
        return recent, logged


def load(path: Path, names: Iterable[str] = ()) -> LoadedCheckpoint:
    """The checkpoint at `path`; `names`: admitted files whose place in its source log is wanted. Raises
    CheckpointDamaged."""
    return LoadedCheckpoint(checkpoint.read(path), frozenset(names))
