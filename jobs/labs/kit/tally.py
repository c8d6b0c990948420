"""Compares delivered rows with published ones: how many are lost, and how many stand too often. Labs that
break something show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

COLUMNS = ("camino", "entregadas", "perdidas", "repetidas")


@dataclass(frozen=True)
class Tally:
    """`way`: the name of what was tried; it is the key of the JSON that `./caudal lab --json` prints."""

    way: str
    delivered: int
    lost: int
    repeated: int

    @property
    def exact(self) -> bool:
        return not self.lost and not self.repeated


def of(name: str, delivered: Iterable[Hashable], published: Iterable[Hashable]) -> Tally:
    """Compares multisets: a row that was delivered once and stands twice is repeated once."""
    wanted, there = Counter(delivered), Counter(published)
    return Tally(name, wanted.total(), (wanted - there).total(), (there - wanted).total())


def facts(tallies: Sequence[Tally]) -> dict[str, Any]:
    """Name -> tally, as a lab returns them."""
    return {tally.way: asdict(tally) for tally in tallies}


def rows(tallies: Sequence[Tally]) -> list[tuple[str, int, int, int]]:
    """The cells of COLUMNS, for `Lab.table`."""
    return [(t.way, t.delivered, t.lost, t.repeated) for t in tallies]
