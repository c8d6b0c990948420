"""Housekeeping's hands in the model: each verb plans its steps in the order of the real planner, writes them
down, and does them.

test_model_is_the_planners.py (tests/include/housekeeping) compares the order with the real plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jobs.contract.commit import protocol
from jobs.contract.commit.protocol import FileState
from tests.jobs.contract.model import ALONE, Durable, Place, State, Step, done
from tests.jobs.contract.model_stream import Refused, Run, Steps

Plan = tuple[Step, ...]


class Stream(Run):
    """The methods below are the hands; tests replace one to see what it is for."""

    def begin(self, state: State, kind: str, steps: Plan) -> Steps:
        """What will be moved made durable, the journal whole, then every step."""
        state = self.sync_moved(state, steps)._replace(journal=(kind, steps))
        yield state
        return (yield from self.redo(state))

    def sync_moved(self, state: State, steps: Plan) -> State:
        """A power cut must not take what the journal says there is to move: Spark's commits and offsets are
        on no disk yet."""
        now, batches = state.current, {step.number for step in steps if step.kind == "commit"}
        offsets = len(now.offsets) if any(step.kind == "offset" for step in steps) else now.durable.offsets
        commits = tuple(sorted({*now.durable.commits, *batches}))
        return state.having(now._replace(durable=now.durable._replace(offsets=offsets, commits=commits)))

    def redo(self, state: State) -> Steps:
        """Steps are done in order, so what is done is a beginning of them; a later one with nothing to move
        is damage, for a person."""
        assert state.journal is not None
        kind, steps = state.journal
        due = [done(state, step) != state for step in steps]
        if sorted(due) != due:
            raise Refused("journal-damaged")
        for step in steps:
            if (after := done(state, step)) != state:
                state = after
                yield state
        state = self.finished(state, kind, steps)
        yield state
        return state

    def finished(self, state: State, kind: str, steps: Plan) -> State:
        """An archive changes no generation, an undo is the end of what it took back."""
        newest = state.newest if kind == "archive" else None if kind == "undo" else (kind, steps)
        return state._replace(journal=None, newest=newest)

    # archive, rollover

    def archive(self, state: State) -> Steps:
        state, _ = yield from self.start(state)
        if steps := self.archive_moves(state):
            return (yield from self.begin(self.sync_proof(state), "archive", steps))
        return state

    def archive_moves(self, state: State) -> Plan:
        now = state.current
        if not now.commits or self.kafka_source:
            return ()
        end = self.position(state, now.commits[-1])
        there = [
            f
            for f, at in now.log
            if protocol.file_state(at, end) is FileState.DONE and state.places[f] is Place.EN_PROCESO
        ]
        return tuple(Step("file", f, Place.EN_PROCESO, Place.ARCHIVO) for f in there)

    def sync_proof(self, state: State) -> State:
        now, newest = state.current, state.current.commits[-1]
        synced = tuple(sorted({*now.durable.commits, newest}))
        return state.having(
            now._replace(durable=Durable(len(now.log), max(now.durable.offsets, newest + 1), synced))
        )

    def unarchived(self, state: State) -> int:
        """Committed files that the archive would leave in en_proceso."""
        now = state.current
        end = self.position(state, now.commits[-1] if now.commits else -1)
        left = {
            f
            for f, at in now.log
            if state.places[f] is Place.EN_PROCESO and protocol.file_state(at, end) is FileState.DONE
        }
        return len(left - {step.number for step in self.archive_moves(state)})

    def rollover(self, state: State) -> Steps:
        state, _ = yield from self.start(state)
        facts = self.facts(state)
        if protocol.may_roll_over(facts, 0) or protocol.may_roll_over(facts, self.unarchived(state)):
            return state
        return (yield from self.begin(self.sync_proof(state), "rollover", self.rollover_plan(state)))

    def rollover_plan(self, state: State) -> Plan:
        start = state.current.offsets[-1] if self.kafka_source else -1
        return (*self.archive_moves(state), Step("record", len(state.generations), start, 1))

    # rewind

    def rewind_one(self, state: State) -> Steps:
        return (yield from self.rewind(state, lambda newest: newest - 1))

    def rewind_all(self, state: State) -> Steps:
        return (yield from self.rewind(state, lambda newest: -1))

    def rewind(self, state: State, keep: Callable[[int], int]) -> Steps:
        state, _ = yield from self.start(state)
        facts = self.facts(state)
        if protocol.may_rewind(facts, keep(facts.newest_offset)):
            return state
        return (yield from self.begin(state, "rewind", self.rewind_plan(state, keep(facts.newest_offset))))

    def rewind_plan(self, state: State, keep: int) -> Plan:
        return (
            *self.rewind_files(state, keep),
            *self.strays(state, keep),
            *self.rewind_removals(state, keep),
        )

    def rewind_files(self, state: State, keep: int) -> Iterator[Step]:
        kept = self.position(state, keep)
        for record, at in state.current.log:
            if at > kept and state.places[record] is Place.ARCHIVO:
                yield Step("file", record, Place.ARCHIVO, Place.EN_PROCESO)

    def strays(self, state: State, keep: int) -> Iterator[Step]:
        """Quarantine of a killed attempt, without an output that names it."""
        published = {o.batch for o in state.current.output}
        yield from (
            Step("quarantine", batch)
            for batch, _ in state.current.quarantine
            if batch > keep and batch not in published
        )

    def rewind_removals(self, state: State, keep: int) -> Iterator[Step]:
        while found := protocol.rewind_step(self.facts(state), keep):
            kind, number = found
            for step in self.with_quarantine(state, Step(kind, number)):
                state = done(state, step)
                yield step

    def with_quarantine(self, state: State, step: Step) -> Plan:
        """An output goes before its quarantine, which counts only while the output stands."""
        quarantined = step.kind == "output" and step.number in dict(state.current.quarantine)
        return (step, Step("quarantine", step.number)) if quarantined else (step,)

    # reset, retire

    def reset(self, state: State) -> Steps:
        state, _ = yield from self.start(state)
        return (yield from self.begin(state, "reset", self.reset_plan(state)))

    def reset_plan(self, state: State) -> Plan:
        return (
            *self.reset_files(state),
            *self.reset_generations(state),
            Step("record", len(state.generations), -1, 1),
        )

    def reset_files(self, state: State) -> Iterator[Step]:
        """Archived files of all live generations."""
        logged = {f for g in state.generations if g.live for f, _ in g.log}
        yield from (
            Step("file", f, Place.ARCHIVO, Place.EN_PROCESO)
            for f in sorted(logged)
            if state.places[f] is Place.ARCHIVO
        )

    def reset_generations(self, state: State) -> Iterator[Step]:
        for part in ("live", "refused", "state"):
            for number in reversed(range(len(state.generations))):
                if getattr(state.generations[number], part):
                    yield Step(part, number, 1, 0)

    def retire(self, state: State) -> Steps:
        state, _ = yield from self.start(state)
        number = next((n for n in self.retirable(state) if state.generations[n].live), None)
        if number is None:
            return state
        return (
            yield from self.begin(
                state,
                "retire",
                (Step("live", number, ALONE, 0), Step("refused", number, 1, 0), Step("state", number, 1, 0)),
            )
        )

    def retirable(self, state: State) -> range:
        """All but the current one, to which runs write."""
        return range(len(state.generations) - 1)

    # undo

    def undo(self, state: State) -> Steps:
        state, _ = yield from self.start(state)
        if state.newest is None or state.newest[0] == "rewind" or self.begun(state):
            return state
        return (
            yield from self.begin(
                state, "undo", tuple(self.inverse(state, step) for step in reversed(state.newest[1]))
            )
        )

    def begun(self, state: State) -> bool:
        """Whether something was built on what the newest operation made."""
        records = [step for step in (state.newest[1] if state.newest else ()) if step.kind == "record"]
        return any(g.offsets or g.output for step in records for g in state.generations[step.number :])

    def inverse(self, state: State, step: Step) -> Step:
        if step.kind == "record":
            return Step("record", step.number, step.before, 0)
        return (
            Step(step.kind, step.number, step.after, step.before)
            if step.kind == "file"
            else Step(step.kind, step.number, 0, 1)
        )
