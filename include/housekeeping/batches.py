"""Which batch read a file: from the checkpoint's offsets while it keeps them, else from the manifests of the published batches."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from jobs.contract.commit import manifest
from jobs.contract.commit.loaded import LoadedCheckpoint
from jobs.contract.disk.layout import Layout


@dataclass
class Batches:
    """Of one generation. Manifests are read once, and only when the offsets do not tell. Raises CheckpointDamaged, DataError."""

    layout: Layout
    stream: str
    read: LoadedCheckpoint
    generation: int
    _known: dict[int, int] = field(default_factory=dict)
    _numbers: list[int] = field(default_factory=list)
    _complete: bool = False

    def of(self, log_offset: int) -> int:
        """The batch whose files have this log offset among them; -1 when nothing tells."""
        if not self._known:
            self._learn(
                {
                    batch: int(self.read.positions[batch].get("logOffset", -1))
                    for batch in self.read.state.offsets
                }
            )
        found = self._find(log_offset)
        if found < 0 and not self._complete:
            self._complete = True
            folders = manifest.published(self.layout.output(self.stream, self.generation))
            self._learn(
                {batch: int(manifest.read(path).end.get("logOffset", -1)) for batch, path in folders.items()}
                | self._known
            )
            found = self._find(log_offset)
        return found

    def _learn(self, ends: dict[int, int]) -> None:
        self._known, self._numbers = ends, sorted(ends)

    def _find(self, log_offset: int) -> int:
        """The first known batch that ends at or behind it, if the one before is known to end in front of it."""
        position = bisect_left(self._numbers, log_offset, key=self._known.__getitem__)
        if position == len(self._numbers):
            return -1
        batch = self._numbers[position]
        return batch if batch == 0 or (position > 0 and self._numbers[position - 1] == batch - 1) else -1
