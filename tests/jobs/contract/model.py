"""An explicit-state model of one stream: every interleaving of run, archive, rollover, rewind, reset, retire
and undo, cut off after any micro-step.

A *kill* keeps what was written; a *power cut* may also take what nobody fsynced: any of Spark's unsynced
commits, and the newest entries of its source log and offsets. Every decision is taken by the real functions
of jobs.contract.commit.protocol, on Facts built from the model's state; the model owns only the hands
(model_stream.py, model_housekeeping.py): the order of renames and fsyncs, as HOUSE's contracts,
jobs/core/write/publish.py and the planners of include/housekeeping have it.

Housekeeping is what it is on disk: a list of steps, written into the journal whole, each of which can be done
again. The newest finished operation is remembered, so that it can be undone.

Records are numbers. A file stream's file f holds record f (and BAD records go to quarantine); a Kafka
stream's record i lies at offset i, so its log is the topic itself, never lost. `Generation.offsets[b]` is the
log offset up to which batch b reads.

Not modelled, since Spark then stops by name and loses nothing (tried on 4.2): an offset kept whose source log
entry a power cut took, and a file that is there but empty (jobs.contract.commit.checkpoint names it).
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
    """`live`, `refused`, `state`: whether its output, its quarantine and its checkpoint are in place, else
    they lie in retirado. `alone`: it was taken out of sight by a retirement, so nobody misses its rows."""

    live: bool = True
    start: int = -1  # log offset everything begins after (Kafka, from the generation's record)
    log: tuple[tuple[int, int], ...] = ()  # (file, log offset)
    offsets: tuple[int, ...] = ()
    commits: tuple[int, ...] = ()
    durable: Durable = Durable()
    output: tuple[Output, ...] = ()
    quarantine: tuple[tuple[int, frozenset[int]], ...] = ()  # batch -> records in its cuarentena folder
    refused: bool = True
    state: bool = True
    alone: bool = False


class Step(NamedTuple):
    """One line of the journal: `kind`, the record, batch or generation (from 0) it is about, and the value
    before and after."""

    kind: str
    number: int
    before: int = 0
    after: int = 0


Journal = tuple[str, tuple[Step, ...]]  # an operation's kind, and all its steps


class State(NamedTuple):
    places: tuple[Place, ...]
    generations: tuple[Generation, ...] = (Generation(),)
    journal: Journal | None = None
    newest: Journal | None = None  # the newest operation that changed generations, finished and not undone
    sent: tuple[int, ...] = ()  # Kafka sink: how often each record was sent (2 = more than once)

    @property
    def current(self) -> Generation:
        return self.generations[-1]

    def having(self, generation: Generation, number: int = -1) -> State:
        number %= len(self.generations)
        return self._replace(
            generations=(*self.generations[:number], generation, *self.generations[number + 1 :])
        )

    def moved(self, record: int, to: Place) -> State:
        return self._replace(places=(*self.places[:record], to, *self.places[record + 1 :]))


def done(state: State, step: Step) -> State:
    """`state` with one step done, durable; a step that is done already changes nothing."""
    if step.kind == "file":
        return (
            state.moved(step.number, Place(step.after)) if state.places[step.number] == step.before else state
        )
    if step.kind == "record":
        if step.after and len(state.generations) > step.number:
            return state
        return state._replace(
            generations=state.generations[: step.number] + (Generation(start=step.before),) * step.after
        )
    if step.kind in ("live", "refused", "state"):
        one = state.generations[step.number]
        one = one._replace(alone=step.before == ALONE) if step.kind == "live" else one
        return state.having(one._replace(**{step.kind: bool(step.after)}), step.number)
    return state.having(_removed(state.current, step))


ALONE = 2  # `before` of a retirement's `live`


def _removed(now: Generation, step: Step) -> Generation:
    """A rewind's step: batch `number` of one kind goes to retirado."""
    durable, number = now.durable, step.number
    if step.kind == "output":
        return now._replace(output=tuple(o for o in now.output if o.batch != number))
    if step.kind == "quarantine":
        return now._replace(quarantine=tuple(q for q in now.quarantine if q[0] != number))
    if step.kind == "commit":
        left = tuple(c for c in durable.commits if c != number)
        return now._replace(
            commits=tuple(c for c in now.commits if c != number), durable=durable._replace(commits=left)
        )
    return now._replace(
        offsets=now.offsets[:number], durable=durable._replace(offsets=min(durable.offsets, number))
    )


def power_cuts(state: State) -> Iterator[State]:
    """All states a power cut can leave behind, `state` itself among them."""
    now = state.current
    loose = [c for c in now.commits if c not in now.durable.commits]
    commits = [
        tuple(sorted({*now.durable.commits, *kept}))
        for n in range(len(loose) + 1)
        for kept in combinations(loose, n)
    ]
    for offsets in range(now.durable.offsets, len(now.offsets) + 1):
        for log in range(now.durable.log, len(now.log) + 1):
            named = now.offsets[offsets - 1] if offsets and now.log else -1
            if max((at for _, at in now.log[:log]), default=-1) < named:
                continue  # not modelled, see above
            for left in commits:
                durable = Durable(
                    min(log, now.durable.log), min(offsets, now.durable.offsets), now.durable.commits
                )
                yield state.having(
                    now._replace(
                        log=now.log[:log], offsets=now.offsets[:offsets], commits=left, durable=durable
                    )
                )


def faults(state: State, kafka_sink: bool) -> Iterator[str]:
    """What is wrong with a state at rest: every record stands once in the live generations, bad ones once in
    a quarantine that counts. Rows of a generation that was retired alone are missed by nobody."""
    live = [g for g in state.generations if g.live]
    missed = {f for g in state.generations if g.alone and not g.live for o in g.output for f in o.records}
    count = Counter(f for g in live for o in g.output for f in o.records)
    counted = Counter(
        f
        for g in live
        for o in g.output
        if g.refused and dict(g.quarantine).get(o.batch) == o.quarantined
        for f in o.quarantined
    )
    for record, place in enumerate(state.places):
        if place:
            if count[record] != 1 and not (record in missed and not count[record]):
                yield "lost" if not count[record] else "repeated"
            if record in BAD and counted[record] != 1 and not (record in missed and not counted[record]):
                yield "quarantine lost" if not counted[record] else "quarantine repeated"
            if kafka_sink and record not in BAD and not (state.sent and state.sent[record]):
                yield "never sent"
