"""An explicit-state model of one stream: every interleaving of run, archive, rollover, rewind and reset, cut off after any micro-step.

A *kill* keeps what was written; a *power cut* may also take what nobody fsynced: any of Spark's unsynced commits, and the newest entries of
its source log and offsets. Every decision is taken by the real functions of jobs.contract.protocol, on Facts built from the model's state;
the model owns only the hands (model_stream.py): the order of renames and fsyncs, as HOUSE's contracts and jobs/core/publish.py have it.

Records are numbers. A file stream's file f holds record f (and BAD records go to quarantine); a Kafka stream's record i lies at offset i, so
its log is the topic itself, never lost. `Generation.offsets[b]` is the log offset up to which batch b reads.

Not modelled, since Spark then stops by name and loses nothing (tried on 4.2): an offset kept whose source log entry a power cut took, and a
file that is there but empty (jobs.contract.checkpoint names it).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import IntEnum
from itertools import combinations
from typing import NamedTuple

BAD = frozenset({0})  # record 0 is malformed: its batch has something to quarantine


class Place(IntEnum):
    OUTSIDE = 0  # not delivered yet
    ENTRADA = 1  # (Kafka: in the topic)
    EN_PROCESO = 2
    ARCHIVO = 3


class Output(NamedTuple):
    """A published batch. `quarantined`: what its manifest names."""

    batch: int
    start: int
    end: int
    records: frozenset[int]
    quarantined: frozenset[int]


class Durable(NamedTuple):
    """What a power cut leaves: the first `log` entries, the first `offsets`, these commits."""

    log: int = 0
    offsets: int = 0
    commits: tuple[int, ...] = ()


class Generation(NamedTuple):
    live: bool = True
    start: int = -1  # log offset everything begins after (Kafka, from the generation's record)
    log: tuple[tuple[int, int], ...] = ()  # (file, log offset)
    offsets: tuple[int, ...] = ()
    commits: tuple[int, ...] = ()
    durable: Durable = Durable()
    output: tuple[Output, ...] = ()
    quarantine: tuple[tuple[int, frozenset[int]], ...] = ()  # batch -> records in its cuarentena folder


class State(NamedTuple):
    places: tuple[Place, ...]
    generations: tuple[Generation, ...] = (Generation(),)
    journal: tuple[str, int] | None = None
    sent: tuple[int, ...] = ()  # Kafka sink: how often each record was sent (2 = more than once)

    @property
    def current(self) -> Generation:
        return self.generations[-1]

    def having(self, generation: Generation) -> State:
        return self._replace(generations=(*self.generations[:-1], generation))

    def moved(self, record: int, to: Place) -> State:
        return self._replace(places=(*self.places[:record], to, *self.places[record + 1 :]))


def remove(now: Generation, kind: str, number: int) -> Generation:
    """One removal of a rewind, fsynced."""
    durable = now.durable
    if kind == "output":
        return now._replace(output=tuple(o for o in now.output if o.batch != number))
    if kind == "commit":
        left = tuple(c for c in durable.commits if c != number)
        return now._replace(commits=tuple(c for c in now.commits if c != number), durable=durable._replace(commits=left))
    return now._replace(offsets=now.offsets[:number], durable=durable._replace(offsets=min(durable.offsets, number)))


def power_cuts(state: State) -> Iterator[State]:
    """All states a power cut can leave behind, `state` itself among them."""
    now = state.current
    loose = [c for c in now.commits if c not in now.durable.commits]
    commits = [tuple(sorted({*now.durable.commits, *kept})) for n in range(len(loose) + 1) for kept in combinations(loose, n)]
    for offsets in range(now.durable.offsets, len(now.offsets) + 1):
        for log in range(now.durable.log, len(now.log) + 1):
            named = now.offsets[offsets - 1] if offsets and now.log else -1
            if max((at for _, at in now.log[:log]), default=-1) < named:
                continue  # not modelled, see above
            for left in commits:
                durable = Durable(min(log, now.durable.log), min(offsets, now.durable.offsets), now.durable.commits)
                yield state.having(now._replace(log=now.log[:log], offsets=now.offsets[:offsets], commits=left, durable=durable))


def faults(state: State, kafka_sink: bool) -> Iterator[str]:
    """What is wrong with a state at rest: every record stands once in the live generations, bad ones once in a quarantine that counts."""
    live = [g for g in state.generations if g.live]
    count = Counter(f for g in live for o in g.output for f in o.records)
    counted = Counter(f for g in live for o in g.output if dict(g.quarantine).get(o.batch, frozenset()) == o.quarantined for f in o.quarantined)
    for record, place in enumerate(state.places):
        if place:
            if count[record] != 1:
                yield "lost" if not count[record] else "repeated"
            if record in BAD and counted[record] != 1:
                yield "quarantine lost" if not counted[record] else "quarantine repeated"
            if kafka_sink and record not in BAD and not (state.sent and state.sent[record]):
                yield "never sent"
