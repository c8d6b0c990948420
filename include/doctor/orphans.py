"""What killed programs leave: drivers without a parent, leases of the dead, cut operations, half-written files, an armed failpoint."""

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
    """JVMs and Python drivers of this home. Each dies with its parent (death signal), so one that lives on without it was let loose."""
    found = list(_drivers(settings.layout.home / "runs"))
    loose = [process for process in found if _parent_is_gone(process)]
    for process in loose:
        what = f"pid {process.pid} ({process.name()}) runs without the task that started it, and keeps its stream's lease"
        yield wrong("drivers", what, _KILL.format(pid=process.pid))
    if not loose:
        yield ok("drivers", f"{len(found)} under way, each with its parent" if found else "none under way")


def _drivers(runs: Path) -> Iterator[psutil.Process]:
    """Processes of this user whose command line names a run folder of this home behind --spec."""
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(word == "--spec" and after.startswith(f"{runs}/") for word, after in pairwise(words)):
            yield process


def _parent_is_gone(process: psutil.Process) -> bool:
    """Orphans are handed to process 1, or to the nearest program that collects them: neither is Python, which every launcher runs under,
    nor Java, which a Python driver runs under, nor the shell of a person who ran spark-submit."""
    try:
        parent = process.parent()
        return parent is None or not any(
            word in parent.name() for word in ("python", "java", "airflow", "sh")
        )
    except psutil.Error:
        return False  # it has just ended


def leases(settings: Settings) -> Iterator[Finding]:
    """Locks die with their holders; what stays is the text, and a run that has ended leaves it, too: its report says so.
    A stream that is registered is told by its own check."""
    layout, known = settings.layout, streams.collect()[0]
    names = sorted(
        {path.stem for path in _listed(layout.state / "leases") if path.suffix in (".lease", ".publish")}
    )
    held = {name: owner for name in names if (owner := lease.holder(layout, name))}
    for name, owner in held.items():
        if name not in known:
            yield wrong(
                "leases",
                f"pid {owner.pid} holds the lease of {name}, which is not registered [{owner.run_dir}]",
                _KILL.format(pid=owner.pid),
            )
    left = {name: owner for name in names if name not in held and (owner := lease.left_by(layout, name))}
    dead = {name: owner for name, owner in left.items() if _died(owner, name in known)}
    for name, owner in dead.items():
        yield note(
            "leases",
            f"{name}: pid {owner.pid} died with the lease in hand (since {owner.started}) [{owner.run_dir}]",
            "nothing: the lock is free, and the next run goes on",
        )
    if not dead:
        yield ok("leases", f"{len(held)} held, none left by the dead")


def _died(owner: lease.Owner, registered: bool) -> bool:
    """Whether nothing says how this holder's work ended: a run's report does, and housekeeping takes its text away.
    A report that stays at running is told by the check of its stream, where there is one."""
    try:
        found = report.read(Path(owner.run_dir, "report.json"))
    except (CaudalError, OSError):
        return True
    return found is None or (found.status == "running" and not registered)


def operations(settings: Settings) -> Iterator[Finding]:
    """Housekeeping that was cut short, of registered streams and of any other."""
    layout, known = settings.layout, streams.collect()[0]
    found = [
        _operation(layout, path.stem, path.stem in known)
        for path in sorted(_listed(layout.state / "journal"))
        if path.suffix == ".sqlite"
    ]
    yield from (finding for finding in found if finding)
    if not any(found):
        yield ok("housekeeping", f"no operation is open ({len(found)} journals)")


def _operation(layout: Layout, name: str, registered: bool) -> Finding | None:
    path, again = (
        layout.journal(name),
        f"./caudal run {name}" if registered else "the daily DAG clean_checkpoints",
    )
    if lease.holder(layout, name):
        return None  # it is being done
    if path.with_name(
        f"{path.name}-journal"
    ).exists():  # reading it would roll back, and doctor changes nothing
        return note(
            "housekeeping", f"the journal of {name} was cut in mid write [{path}]", f"{again} rolls that back"
        )
    try:
        cut = journal.open_operations(path)
    except CaudalError as error:
        return of_error("housekeeping", error)
    if not cut:
        return None
    steps = len(journal.steps(path, cut[0].id))
    what = f"{cut[0].kind} of {name} was cut short: {cut[0].id}, {steps} step{'' if steps == 1 else 's'}, begun {cut[0].begun}"
    return note(
        "housekeeping", what, f"{again} finishes it first, and so does the next housekeeping of {name}"
    )


def torn(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Temporary files that their writers never renamed."""
    found = leftovers.torn(settings.layout, now)
    if found:
        files = f"{len(found)} temporary file{'' if len(found) == 1 else 's'}"
        size = sum(left.size_bytes for left in found)
        yield note(
            "temporary files",
            f"{files} of killed programs, {size:,} bytes, the first [{found[0].path}]",
            CLEAN,
        )
    else:
        yield ok("temporary files", "none older than a day")


def failpoint(settings: Settings) -> Iterator[Finding]:
    """A failpoint kills for real: fine for a torture run, not for a home with data that matter."""
    if armed := settings.environ.get(failpoints.VARIABLE):
        yield wrong(
            "failpoint",
            f"{failpoints.VARIABLE}={armed} is set: programs started from here are killed on purpose",
            f"unset {failpoints.VARIABLE}",
        )


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
