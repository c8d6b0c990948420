"""Finds the batch that read a file.

The checkpoint's offsets tell it while Spark keeps them; after that, the manifests of the published batches.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from jobs.contract.commit import manifest
from jobs.contract.commit.loaded import LoadedCheckpoint
from jobs.contract.disk.layout import Layout


@dataclass
class Batches:
    """The batches of one generation, by log offset. Raises CheckpointDamaged, DataError.

    Manifests are read once, and only if the offsets do not tell.
    """

    layout: Layout
    stream: str
    read: LoadedCheckpoint
    generation: int
    _known: dict[int, int] = field(default_factory=dict)
    _numbers: list[int] = field(default_factory=list)
    _complete: bool = False

    def of(self, log_offset: int) -> int:
        """The batch that read the files with this log offset; -1 when it is unknown."""
        if not self._known:
            positions = {batch: self.read.positions[batch] for batch in self.read.state.offsets}
            self._learn({batch: int(p.get("logOffset", -1)) for batch, p in positions.items()})
        batch = self._find(log_offset)
        if batch < 0 and not self._complete:
            self._complete = True
            folders = manifest.published(self.layout.output(self.stream, self.generation))
            ends = {batch: manifest.read(path).end for batch, path in folders.items()}
            published = {batch: int(end.get("logOffset", -1)) for batch, end in ends.items()}
            self._learn(published | self._known)
            batch = self._find(log_offset)
        return batch

    def _learn(self, ends: dict[int, int]) -> None:
        self._known, self._numbers = ends, sorted(ends)

    def _find(self, log_offset: int) -> int:
        """The first known batch that ends at or after `log_offset`; -1 if the one before it is not known."""
        position = bisect_left(self._numbers, log_offset, key=self._known.__getitem__)
        if position == len(self._numbers):
            return -1
        batch = self._numbers[position]
        return batch if batch == 0 or (position > 0 and self._numbers[position - 1] == batch - 1) else -1
