"""The daily cleaning: new generations for checkpoints that have outgrown their row, purges of what is past retention, leftovers, the gone.

Nothing here decides a loss: a rollover that would drop state or unread offsets is refused and told.
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
from jobs.contract.errors import CaudalError, Refused
from jobs.contract.stream import Stream, Upkeep

LEASE_WAIT_S = 60.0  # a run takes seconds, and a day is long to wait for the next cleaning
HOME = "(home)"


def clean(settings: Settings, now: datetime, grace_days: int, dry_run: bool) -> Iterator[Outcome]:
    """Everything, stream by stream; with `dry_run` nothing is changed and each outcome says what would be done."""
    found, broken = streams.collect()
    registered = {
        *found,
        *(Path(error.where).stem for error in broken),
    }  # one whose file does not load is not gone
    for stream in found.values():
        yield from _outgrown(settings, stream, now, dry_run)
    for name, changed in retire.gone(settings.layout, registered).items():
        yield _gone(settings, name, changed + timedelta(days=grace_days), now, dry_run)
    for name in sorted(registered | _seen(settings)):
        upkeep = found[name].upkeep if name in found else Upkeep()
        yield _do(settings, name, "purge", partial(purge.due, settings, name, upkeep, now), now, dry_run)
        yield from _old_runs(settings, name, upkeep, now, dry_run)
    yield from _staging(settings, now, dry_run)
    yield _torn(settings, now, dry_run)


def freed_bytes(found: list[Outcome]) -> int:
    """What purges and leftovers gave back; nothing for what was only planned."""
    return sum(
        one.size_bytes
        for one in found
        if one.state == "done" and one.verb in ("purge", "old runs", "staging", "temporary files")
    )


def _outgrown(settings: Settings, stream: Stream, now: datetime, dry_run: bool) -> Iterator[Outcome]:
    """A rollover where a limit is passed; before the first run there is nothing to say."""
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
        used = (
            f"generation {current.number} uses {growth.share(grown, stream.upkeep):.0%} of its nearest limit"
        )
        yield Outcome(stream.name, "rollover", "nothing", used)


def _rollover(settings: Settings, stream: Stream, now: datetime) -> Plan:
    """Raises Refused for a topic that was made anew: what of the old one was never read is a person's to give up."""
    current, found = (
        generations.current(settings.layout, stream.name),
        replay_inputs.positions(settings, stream),
    )
    if current and found and replay_inputs.recreated(current, found):
        raise Refused(
            f"the topic {found.topic} was deleted and made again; roll over by hand (manage_stream)",
            stream.name,
            cli=f"./caudal generation rollover {stream.name}",
        )
    return rollover.plan(settings, stream, now)


def _gone(settings: Settings, name: str, until: datetime, now: datetime, dry_run: bool) -> Outcome:
    if now < until:
        what = f"not registered; its checkpoints stay until {until:%Y-%m-%d %H:%M} UTC in case it comes back"
        return Outcome(name, "retire", "nothing", what)
    return _do(settings, name, "retire", partial(retire.plan_gone, settings, name, now), now, dry_run)


def _do(settings: Settings, name: str, verb: str, planner: Planner, now: datetime, dry_run: bool) -> Outcome:
    way = planner if dry_run else partial(sweep.carried_out, settings, name, planner, now, LEASE_WAIT_S)
    return sweep.attempt(name, verb, way, dry_run)


def _seen(settings: Settings) -> set[str]:
    """Streams that were: something of theirs waits in retirado, or housekeeping has a journal of them."""
    retired, journals = settings.layout.data / "retirado", settings.layout.state / "journal"
    names = {entry.name for entry in retired.iterdir()} if retired.is_dir() else set()
    names |= {entry.stem for entry in journals.glob("*.sqlite")}
    return {name for name in names if is_name(name)}


def _old_runs(
    settings: Settings, name: str, upkeep: Upkeep, now: datetime, dry_run: bool
) -> Iterator[Outcome]:
    found = old_runs.past(settings.layout, name, upkeep, now)
    if not found:
        return
    what = f"{len(found):,} run folders, older than {upkeep.runs_days} days"
    if dry_run:
        yield Outcome(name, "old runs", "planned", what, old_runs.size(found))
        return
    try:
        yield Outcome(name, "old runs", "done", what, old_runs.remove(settings, found))
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
        except CaudalError as error:
            held = error.code == "lease-held"
            yield Outcome(
                name, "staging", "held" if held else "failed", error.what if held else str(error), error=error
            )


def _torn(settings: Settings, now: datetime, dry_run: bool) -> Outcome:
    found = leftovers.torn(settings.layout, now)
    what = f"{len(found)} of killed programs, older than a day"
    if not found or dry_run:
        return Outcome(
            HOME,
            "temporary files",
            "planned" if found else "nothing",
            what,
            sum(left.size_bytes for left in found),
        )
    try:
        return Outcome(HOME, "temporary files", "done", what, leftovers.remove(settings.layout, found))
    except CaudalError as error:
        return Outcome(HOME, "temporary files", "failed", str(error), error=error)
