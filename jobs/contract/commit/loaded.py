"""Reads a checkpoint once, under the lease, for all that need it: the pairing check, the look for waiting
input, the archive."""

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
    """What the checkpoint contained when `load` was called. Its properties raise CheckpointDamaged.

    The source log may have a million entries. So it is streamed once, on demand, and only two things are
    kept: the files of retained batches, and the log offsets of `names`.
    """

    state: Checkpoint
    names: frozenset[str]

    @cached_property
    def positions(self) -> dict[int, dict[str, Any]]:
        """Retained batch -> the position where it ends; -1 -> where batch 0 starts, if batch 0 is
        retained."""
        path = self.state.path
        ends = {batch: checkpoint.read_offset(path, batch).position for batch in self.state.offsets}
        return ends | ({-1: batch_plan.first_position(path, ends[0])} if 0 in ends else {})

    @property
    def planned(self) -> int:
        """The file source's log offset up to which batches are planned; -1 for none."""
        return self._log_offset(self.state.newest_offset)

    @property
    def committed(self) -> int:
        """The file source's log offset up to which batches are committed; -1 if there is none, or if the
        offset of the newest commit is gone, because then nothing is proved."""
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
        """name -> log offset, for each of `names` in the source log; the highest if a name occurs twice."""
        return self._log[1]

    @cached_property
    def _log(self) -> tuple[dict[int, list[SourceEntry]], dict[str, int]]:
        recent: dict[int, list[SourceEntry]] = {}
        logged: dict[str, int] = {}
        oldest = self._log_offset(min(self.positions, default=-1))
        if not self.names and self.planned < 0:  # Kafka's source log holds no files
            return recent, logged
        # Without names, older entries need not be parsed, which takes a fifth of the time.
        for entry in checkpoint.all_entries(self.state.path, above=-1 if self.names else oldest):
            if entry.log_offset > oldest:
                recent.setdefault(entry.log_offset, []).append(entry)
            if entry.name in self.names:
                logged[entry.name] = max(entry.log_offset, logged.get(entry.name, -1))
        return recent, logged


def load(path: Path, names: Iterable[str] = ()) -> LoadedCheckpoint:
    """The checkpoint at `path`. `names`: admitted files whose log offsets are wanted. Raises
    CheckpointDamaged."""
    return LoadedCheckpoint(checkpoint.read(path), frozenset(names))
