"""The hands of the model: what a run does to a state, micro-step by micro-step. model.py explains the whole,
model_housekeeping.py goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cache

from jobs.contract.commit import protocol
from jobs.contract.commit.manifest import Identity
from jobs.contract.commit.protocol import Facts, Next, Publish, Refuse
from tests.jobs.contract.model import BAD, Durable, Generation, Output, Place, State


class Refused(Exception):
    """The protocol, or a check before the publish, refuses to go on."""


Steps = Generator[State, None, State]  # yields every state that is on disk in between, returns the last


@cache
def identity(generation: int, start: int, end: int, records: frozenset[int]) -> Identity:
    return Identity(f"query {generation}", str(start), str(end), str(sorted(records)))


@dataclass
class Run:
    """`kafka_source`, `kafka_sink`: else files. `limit`: new records a batch takes at most (Spark's
    maxBytesPerTrigger or maxOffsetsPerTrigger). The methods below are the hands; tests replace one to see
    what it is for."""

    kafka_source: bool = False
    kafka_sink: bool = False
    limit: int = 99
    _verdicts: dict[tuple[int, Generation, str], protocol.Proceed | Refuse] = field(
        default_factory=dict, init=False, repr=False
    )

    # what is on disk, in the protocol's words

    def log(self, state: State) -> tuple[tuple[int, int], ...]:
        if not self.kafka_source:
            return state.current.log
        return tuple((i, i) for i, place in enumerate(state.places) if place and i > state.current.start)

    def position(self, state: State, batch: int) -> int:
        """The log offset up to which `batch` reads; -1 for "before the first"."""
        if batch >= len(state.current.offsets):
            raise Refused("checkpoint-damaged")
        return state.current.offsets[batch] if batch >= 0 else state.current.start

    def records(self, state: State, batch: int) -> frozenset[int]:
        start, end = self.position(state, batch - 1), state.current.offsets[batch]
        return frozenset(f for f, at in self.log(state) if start < at <= end)

    def plan(self, state: State, batch: int) -> Identity:
        number = len(state.generations)
        return identity(
            number, self.position(state, batch - 1), state.current.offsets[batch], self.records(state, batch)
        )

    def facts(self, state: State) -> Facts:
        number, now = len(state.generations), state.current
        begun = bool(now.offsets or now.log) and now.state
        output = now.output if now.live else ()
        return Facts(
            query_id=f"query {number}" if begun else None,
            offsets=tuple(range(len(now.offsets))) if now.state else (),
            commits=now.commits if now.state else (),
            published=tuple(o.batch for o in output),
            planned={b: self.plan(state, b) for b in range(len(now.offsets))} if now.state else {},
            manifests={o.batch: identity(number, o.start, o.end, o.records) for o in output},
            journal=state.journal[0] if state.journal else "",
        )

    def start(self, state: State) -> Generator[State, None, tuple[State, protocol.Proceed]]:
        """What every operation begins with: the journal first, then the pairing."""
        verdict = self.pairing(state)
        if isinstance(verdict, protocol.Proceed) and verdict.step is Next.REDO:
            state = yield from self.redo(state)
            verdict = self.pairing(state)
        if isinstance(verdict, Refuse):
            raise Refused(verdict.rule)
        return state, verdict

    def pairing(self, state: State) -> protocol.Proceed | Refuse:
        key = (
            len(state.generations),
            state.current,
            str(state.places) * self.kafka_source + (state.journal[0] if state.journal else ""),
        )
        if key not in self._verdicts:
            self._verdicts[key] = protocol.pairing(self.facts(state))
        return self._verdicts[key]

    def redo(self, state: State) -> Steps:
        """Finishes what the journal says."""
        raise NotImplementedError

    # a run

    def run(self, state: State) -> Steps:
        state, verdict = yield from self.start(state)
        if (
            not state.current.state
        ):  # only where the journal is left out: the checkpoint is in retirado, and Spark makes a new one
            state = state.having(
                state.current._replace(log=(), offsets=(), commits=(), durable=Durable(), state=True)
            )
        if not self.kafka_source:
            state = yield from self.intake(state)
        if verdict.step is Next.RERUN:
            state = yield from self.batch(state, verdict.batch)
        elif not self.waiting(state):
            return state  # Spark is not even started
        while True:
            planned = len(state.current.offsets)
            state = yield from self.plan_next(state)
            if len(state.current.offsets) == planned:
                return state
            state = yield from self.batch(state, planned)

    def waiting(self, state: State) -> bool:
        """What the launcher asks before it starts Spark at all."""
        planned, seen = self.position(state, len(state.current.offsets) - 1), dict(self.log(state))
        if self.kafka_source:
            return any(at > planned for at in seen.values())
        return any(
            p is Place.EN_PROCESO and protocol.is_unplanned(seen.get(f), planned)
            for f, p in enumerate(state.places)
        )

    def intake(self, state: State) -> Steps:
        for record, place in enumerate(state.places):
            if place is Place.ENTRADA:
                state = state.moved(record, Place.EN_PROCESO)
                yield state
        return state

    def plan_next(self, state: State) -> Steps:
        """Spark: new files into the source log, then the next offset. Both without fsync."""
        if not self.kafka_source:
            now = state.current
            fresh = [
                f for f, p in enumerate(state.places) if p is Place.EN_PROCESO and f not in dict(now.log)
            ][: self.limit]
            if fresh:
                at = now.log[-1][1] + 1 if now.log else 0
                state = state.having(now._replace(log=now.log + tuple((f, at) for f in fresh)))
                yield state
        now = state.current
        begin = now.offsets[-1] if now.offsets else now.start
        end = max((at for _, at in self.log(state)), default=now.start)
        if end > begin:
            end = (
                min(end, begin + self.limit) if self.kafka_source else end
            )  # a file source plans all it has logged, whatever the limit
            state = state.having(now._replace(offsets=(*now.offsets, end)))
            yield state
        return state

    def batch(self, state: State, batch: int) -> Steps:
        state = self.sync_before_publish(state, batch)
        self.check_inputs(state, batch)
        present = next((o for o in state.current.output if o.batch == batch), None)
        verdict = protocol.publish(
            self.plan(state, batch), present and identity(len(state.generations), *present[1:4])
        )
        if isinstance(verdict, Refuse):
            raise Refused(verdict.rule)
        if verdict is Publish.WRITE:
            for step in self.write_steps:
                state = step(self, state, batch)
                yield state
        return (yield from self.commit(state, batch))

    def commit(self, state: State, batch: int) -> Steps:
        commits = tuple(sorted({*state.current.commits, batch}))
        state = state.having(state.current._replace(commits=commits))
        yield state
        return state

    def sync_before_publish(self, state: State, batch: int) -> State:
        now = state.current
        synced = tuple(sorted({*now.durable.commits, *self.commits_to_sync(now)}))
        return state.having(now._replace(durable=Durable(len(now.log), batch + 1, synced)))

    def commits_to_sync(self, now: Generation) -> tuple[int, ...]:
        return now.commits[-1:]

    def check_inputs(self, state: State, batch: int) -> None:
        if not self.kafka_source and any(
            state.places[f] is not Place.EN_PROCESO for f in self.records(state, batch)
        ):
            raise Refused("planned-file-missing")

    def readable(self, state: State, batch: int) -> frozenset[int]:
        """What Spark really reads: a planned file that is gone counts 0 rows, without a word."""
        return frozenset(
            f for f in self.records(state, batch) if self.kafka_source or state.places[f] is Place.EN_PROCESO
        )

    def send(self, state: State, batch: int) -> State:
        if not self.kafka_sink:
            return state
        read = self.readable(state, batch) - BAD
        return state._replace(
            sent=tuple(min(2, n + (f in read)) for f, n in enumerate(state.sent or (0,) * len(state.places)))
        )

    def put_in_quarantine(self, state: State, batch: int) -> State:
        if not (bad := self.readable(state, batch) & BAD):
            return state
        kept = tuple(q for q in state.current.quarantine if q[0] != batch)
        return state.having(state.current._replace(quarantine=(*kept, (batch, bad))))

    def publish(self, state: State, batch: int) -> State:
        read, now = self.readable(state, batch), state.current
        new = Output(batch, self.position(state, batch - 1), now.offsets[batch], read, read & BAD)
        return state.having(now._replace(output=tuple(sorted((*now.output, new)))))

    write_steps: tuple[Callable[[Run, State, int], State], ...] = (send, put_in_quarantine, publish)
