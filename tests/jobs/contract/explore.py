"""Breadth-first search through the model's states."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.jobs.contract.model import Place, State, faults, power_cuts
from tests.jobs.contract.model_housekeeping import Stream
from tests.jobs.contract.model_stream import Refused, Steps

Path = tuple[str, ...]


@dataclass
class Found:
    """`failures`: kind of failure -> the shortest way to it, one word a step (operation, micro-step, kill or
    cut). `cut`: states all of whose power cuts are among `seen`, or about to be: whoever comes there again,
    not sooner, adds nothing."""

    states: int = 0
    failures: dict[str, Path] = field(default_factory=dict)
    seen: set[State] = field(default_factory=set)
    cut: set[State] = field(default_factory=set)


def operations(stream: Stream) -> tuple[Callable[[State], Steps], ...]:
    return (
        stream.run,
        stream.archive,
        stream.rollover,
        stream.rewind_one,
        stream.rewind_all,
        stream.reset,
        stream.retire,
        stream.undo,
    )


def settled(stream: Stream, state: State) -> State:
    """Everything arrives, and one run goes to its end."""
    state = state._replace(places=tuple(max(place, Place.ENTRADA) for place in state.places))
    return ([state, *stream.run(state)])[-1]


def arrivals(state: State) -> tuple[State, ...]:
    """The state as it is, and with the next record delivered."""
    outside = state.places.index(Place.OUTSIDE) if Place.OUTSIDE in state.places else None
    return (state,) if outside is None else (state, state.moved(outside, Place.ENTRADA))


def explore(stream: Stream, records: int, depth: int, until: str = "") -> Found:
    """All states that `depth` operations reach, each cut off anywhere; every one is settled and checked.
    Stops when the failure `until` is found."""
    first = State((Place.ENTRADA,) + (Place.OUTSIDE,) * (records - 1))
    found = Found(seen={first})
    queue: deque[tuple[State, int, Path]] = deque([(first, 0, ())])
    while queue and until not in found.failures:
        state, used, path = queue.popleft()
        check(stream, state, path, found)
        if used < depth:
            for following, how in successors(stream, state, path, found):
                if following not in found.seen:
                    found.seen.add(following)
                    queue.append((following, used + 1, how))
    return found


def check(stream: Stream, state: State, path: Path, found: Found) -> None:
    found.states += 1
    try:
        for fault in faults(settled(stream, state), stream.kafka_sink):
            found.failures.setdefault(fault, path)
    except Refused as refusal:
        found.failures.setdefault(f"refused {refusal}", path)


def successors(stream: Stream, state: State, path: Path, found: Found) -> list[tuple[State, Path]]:
    following: list[tuple[State, Path]] = []
    for begin in arrivals(state):
        for operation in operations(stream):
            name = operation.__name__ + "+" * (begin is not state)
            try:
                for number, reached in enumerate(operation(begin)):
                    if reached not in found.cut:
                        found.cut.add(reached)
                        following += [(cut, (*path, f"{name} {number}")) for cut in power_cuts(reached)]
            except Refused as refusal:
                found.failures.setdefault(f"refused {refusal}", (*path, name))
    return following
