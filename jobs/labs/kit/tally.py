"""Delivered against found: how many rows are lost, how many stand too often. What labs that break something show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

COLUMNS = ("camino", "entregadas", "perdidas", "repetidas")


@dataclass(frozen=True)
class Tally:
    way: str
    delivered: int
    lost: int
    repeated: int

    @property
    def exact(self) -> bool:
        return not self.lost and not self.repeated

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def of(way: str, delivered: Iterable[Hashable], found: Iterable[Hashable]) -> Tally:
    """By multisets: a row that came twice and was delivered once is repeated once."""
    wanted, there = Counter(delivered), Counter(found)
    return Tally(way, wanted.total(), (wanted - there).total(), (there - wanted).total())


def rows(tallies: Sequence[Tally]) -> list[tuple[str, int, int, int]]:
    """For `Lab.table` under COLUMNS."""
    return [(t.way, t.delivered, t.lost, t.repeated) for t in tallies]
