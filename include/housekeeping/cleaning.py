"""The daily cleaning.

It begins a new generation where a checkpoint has passed a limit of its row, purges what is past its
retention, removes leftovers, and retires streams that are no longer registered.

It never decides to lose data: a rollover that would drop state or unread offsets is refused and reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from include import streams
from include.housekeeping import replay_inputs, sweep
from include.housekeeping.files import leftovers, old_runs
from include.housekeeping.generations import purge, retire, rollover
from include.housekeeping.plan import Plan
from include.housekeeping.sweep import Outcome, Planner
from include.settings import Settings
from include.state import generations, growth
from jobs.contract.commit import checkpoint
from jobs.contract.disk.layout import is_name
from jobs.contract.errors import CaudalError, LeaseHeld, Refused
from jobs.contract.stream import Stream, Upkeep

LEASE_WAIT_S = 60.0  # a run takes seconds, and a day is long to wait for the next cleaning
HOME = "(home)"


def clean(settings: Settings, now: datetime, grace_days: int, dry_run: bool) -> Iterator[Outcome]:
    """Cleans stream by stream. With `dry_run`, it changes nothing, and each outcome says what would be done.

    `grace_days`: how long the checkpoints of a stream that is no longer registered stay.
    """
    rows, broken = streams.collect()
    registered = {*rows, *(Path(error.where).stem for error in broken)}  # a broken file is still registered
    for stream in rows.values():
        yield from _outgrown(settings, stream, now, dry_run)
    for name, changed in retire.gone(settings.layout, registered).items():
        yield _gone(settings, name, changed + timedelta(days=grace_days), now, dry_run)
    for name in sorted(registered | _seen(settings)):
        upkeep = rows[name].upkeep if name in rows else Upkeep()
        yield _do(settings, name, "purge", partial(purge.due, settings, name, upkeep, now), now, dry_run)
        yield from _old_runs(settings, name, upkeep, now, dry_run)
    yield from _staging(settings, now, dry_run)
    yield _torn(settings, now, dry_run)


def freed_bytes(outcomes: list[Outcome]) -> int:
    """Bytes that purges and the removal of leftovers have freed; plans of a dry run count nothing."""
    freeing = ("purge", "old runs", "staging", "temporary files")
    return sum(o.size_bytes for o in outcomes if o.state == "done" and o.verb in freeing)


def _outgrown(settings: Settings, stream: Stream, now: datetime, dry_run: bool) -> Iterator[Outcome]:
    """A rollover if a limit is passed; nothing before the first run."""
    layout = settings.layout
    current = generations.current(layout, stream.name)
    if current is None:
        return
    try:
        grown = growth.measure(checkpoint.read(layout.checkpoint(stream.name, current.number)), stream)
    except CaudalError as error:
        yield Outcome(stream.name, "rollover", "failed", str(error), error=error)
        return
    reasons = growth.outgrown(grown, stream.upkeep)
    if reasons:
        yield _do(settings, stream.name, "rollover", partial(_rollover, settings, stream, now), now, dry_run)
    else:
        used = f"{growth.share(grown, stream.upkeep):.0%} of its nearest limit"
        yield Outcome(stream.name, "rollover", "nothing", f"generation {current.number} uses {used}")


def _rollover(settings: Settings, stream: Stream, now: datetime) -> Plan:
    """As rollover.plan. Raises Refused also for a topic that was deleted and made again: only a person may
    give up the records of the old topic that were never read."""
    current = generations.current(settings.layout, stream.name)
    topic = replay_inputs.positions(settings, stream)
    if current and topic and replay_inputs.recreated(current, topic):
        what = f"the topic {topic.topic} was deleted and made again; roll over by hand (manage_stream)"
        raise Refused(what, stream.name, cli=f"./caudal generation rollover {stream.name}")
    return rollover.plan(settings, stream, now)


def _gone(settings: Settings, name: str, until: datetime, now: datetime, dry_run: bool) -> Outcome:
    if now < until:
        what = f"not registered; its checkpoints stay until {until:%Y-%m-%d %H:%M} UTC in case it comes back"
        return Outcome(name, "retire", "nothing", what)
    return _do(settings, name, "retire", partial(retire.plan_gone, settings, name, now), now, dry_run)


def _do(settings: Settings, name: str, verb: str, planner: Planner, now: datetime, dry_run: bool) -> Outcome:
    make = planner if dry_run else partial(sweep.carried_out, settings, name, planner, now, LEASE_WAIT_S)
    return sweep.attempt(name, verb, make, dry_run)


def _seen(settings: Settings) -> set[str]:
    """Names of streams that have something in retirado, or a journal of housekeeping."""
    retired, journals = settings.layout.data / "retirado", settings.layout.state / "journal"
    names = {entry.name for entry in retired.iterdir()} if retired.is_dir() else set()
    names |= {entry.stem for entry in journals.glob("*.sqlite")}
    return {name for name in names if is_name(name)}


def _old_runs(
    settings: Settings, name: str, upkeep: Upkeep, now: datetime, dry_run: bool
) -> Iterator[Outcome]:
    folders = old_runs.past(settings.layout, name, upkeep, now)
    if not folders:
        return
    what = f"{len(folders):,} run folders, older than {upkeep.runs_days} days"
    if dry_run:
        yield Outcome(name, "old runs", "planned", what, old_runs.size(folders))
        return
    try:
        yield Outcome(name, "old runs", "done", what, old_runs.remove(settings, folders))
    except CaudalError as error:
        yield Outcome(name, "old runs", "failed", str(error), error=error)


def _staging(settings: Settings, now: datetime, dry_run: bool) -> Iterator[Outcome]:
    for name, left in leftovers.staged(settings.layout).items():
        what = "half-written batches of a killed run"
        if dry_run:
            yield Outcome(name, "staging", "planned", what, left.size_bytes)
            continue
        try:
            yield Outcome(name, "staging", "done", what, leftovers.clear_staging(settings, name, now))
        except LeaseHeld as error:
            yield Outcome(name, "staging", "held", error.what, error=error)
        except CaudalError as error:
            yield Outcome(name, "staging", "failed", str(error), error=error)


def _torn(settings: Settings, now: datetime, dry_run: bool) -> Outcome:
    files = leftovers.torn(settings.layout, now)
    what, size_bytes = f"{len(files)} of killed programs, older than a day", sum(f.size_bytes for f in files)
    if not files or dry_run:
        return Outcome(HOME, "temporary files", "planned" if files else "nothing", what, size_bytes)
    try:
        return Outcome(HOME, "temporary files", "done", what, leftovers.remove(settings.layout, files))
    except CaudalError as error:
        return Outcome(HOME, "temporary files", "failed", str(error), error=error)
