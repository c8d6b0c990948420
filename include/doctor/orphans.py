"""Finds what killed programs leave: drivers without a parent, leases of dead processes, housekeeping that was
cut short, half-written files, an armed failpoint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psutil

from include import streams
from include.doctor.findings import Finding, note, of_error, ok, wrong
from include.housekeeping.files import leftovers
from include.settings import Settings
from include.state import journal, lease
from jobs.contract.disk import failpoints
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import CaudalError
from jobs.contract.run import report

CLEAN = "the daily DAG clean_checkpoints removes what killed programs left"
_KILL = "kill -KILL {pid}: safe, the next run goes on from what is published"


def drivers(settings: Settings) -> Iterator[Finding]:
    """JVMs and Python drivers of this home. Each dies with its parent (by the death signal), so a driver
    without a parent has lost that protection."""
    running = list(_drivers(settings.layout.home / "runs"))
    orphans = [process for process in running if _parent_is_gone(process)]
    for process in orphans:
        who = f"pid {process.pid} ({process.name()}) runs without the task that started it"
        yield wrong("drivers", f"{who}, and keeps its stream's lease", _KILL.format(pid=process.pid))
    if not orphans:
        yield ok(
            "drivers", f"{len(running)} under way, each with its parent" if running else "none under way"
        )


def _drivers(runs: Path) -> Iterator[psutil.Process]:
    """Processes of this user whose command line has `--spec` and then a run folder of this home."""
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(word == "--spec" and after.startswith(f"{runs}/") for word, after in pairwise(words)):
            yield process


def _parent_is_gone(process: psutil.Process) -> bool:
    """Orphans are handed to process 1, or to the nearest program that collects them. Their names are not
    Python, under which every launcher runs, nor Java, under which a Python driver runs, nor the shell of a
    person who ran spark-submit."""
    try:
        parent = process.parent()
        starters = ("python", "java", "airflow", "sh")
        return parent is None or not any(name in parent.name() for name in starters)
    except psutil.Error:
        return False  # it has just ended


def leases(settings: Settings) -> Iterator[Finding]:
    """Locks die with their holders, but their text stays, also after a run that ended well; its report shows
    that. The check of a registered stream reports its own lease."""
    layout, known = settings.layout, streams.collect()[0]
    locks = [p for p in _listed(layout.state / "leases") if p.suffix in (".lease", ".publish")]
    names = sorted({path.stem for path in locks})
    held = {name: owner for name in names if (owner := lease.holder(layout, name))}
    for name, owner in held.items():
        if name not in known:
            what = f"pid {owner.pid} holds the lease of {name}, which is not registered [{owner.run_dir}]"
            yield wrong("leases", what, _KILL.format(pid=owner.pid))
    left = {name: owner for name in names if name not in held and (owner := lease.left_by(layout, name))}
    dead = {name: owner for name, owner in left.items() if _died(owner, name in known)}
    for name, owner in dead.items():
        what = f"{name}: pid {owner.pid} died while it held the lease, since {owner.started}"
        fix = "nothing: the lock is free, and the next run goes on"
        yield note("leases", f"{what} [{owner.run_dir}]", fix)
    if not dead:
        yield ok("leases", f"{len(held)} held, none left by a process that died")


def _died(owner: lease.Owner, registered: bool) -> bool:
    """Whether nothing shows how this holder's work ended. A run has its report; housekeeping removes its
    text. The check of a registered stream reports one that stays at running."""
    try:
        left = report.read(Path(owner.run_dir, "report.json"))
    except (CaudalError, OSError):
        return True
    return left is None or (left.status == "running" and not registered)


def operations(settings: Settings) -> Iterator[Finding]:
    """Housekeeping operations that were cut short, of registered streams and of any other."""
    layout, known = settings.layout, streams.collect()[0]
    paths = sorted(path for path in _listed(layout.state / "journal") if path.suffix == ".sqlite")
    cut = [f for path in paths if (f := _operation(layout, path.stem, path.stem in known))]
    yield from cut
    if not cut:
        yield ok("housekeeping", f"no operation is open ({len(paths)} journals)")


def _operation(layout: Layout, name: str, registered: bool) -> Finding | None:
    path = layout.journal(name)
    again = f"./caudal run {name}" if registered else "the daily DAG clean_checkpoints"
    if lease.holder(layout, name):
        return None  # it is being done
    if path.with_name(f"{path.name}-journal").exists():
        # reading the journal would roll the write back, and doctor changes nothing
        what = f"a write to the journal of {name} was cut short [{path}]"
        return note("housekeeping", what, f"{again} rolls that back")
    try:
        cut = journal.open_operations(path)
    except CaudalError as error:
        return of_error("housekeeping", error)
    if not cut:
        return None
    first, count = cut[0], len(journal.steps(path, cut[0].id))
    steps = f"{count} step{'' if count == 1 else 's'}, begun {first.begun}"
    what = f"{first.kind} of {name} was cut short: {first.id}, {steps}"
    fix = f"{again} finishes it first, and so does the next housekeeping of {name}"
    return note("housekeeping", what, fix)


def torn(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Temporary files that their writers never renamed."""
    torn = leftovers.torn(settings.layout, now)
    if torn:
        files = f"{len(torn)} temporary file{'' if len(torn) == 1 else 's'}"
        size = sum(left.size_bytes for left in torn)
        what = f"{files} of killed programs, {size:,} bytes, first [{torn[0].path}]"
        yield note("temporary files", what, CLEAN)
    else:
        yield ok("temporary files", "none older than a day")


def failpoint(settings: Settings) -> Iterator[Finding]:
    """A failpoint kills for real. That is meant for a torture run, not for a home whose data matter."""
    if armed := settings.environ.get(failpoints.VARIABLE):
        what = f"{failpoints.VARIABLE}={armed} is set: programs started from here are killed on purpose"
        yield wrong("failpoint", what, f"unset {failpoints.VARIABLE}")


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
