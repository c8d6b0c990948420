"""Checks the folders of a home: they exist, are writable, lie on one file system, and hold no foreign files;
secrets can be read by their owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from include import streams
from include.doctor.findings import Finding, note, ok, wrong
from include.intake import waiting_files
from include.services.airflow import keys
from include.settings import Settings
from jobs.contract.disk import ledger
from jobs.contract.disk.layout import FOLDERS
from jobs.contract.stream import Files, Stream, partial_names

_RENAMED = ("_staging", "salida", "cuarentena")  # a batch is published by one rename between these
_MANY = 10_000  # names looked at in one folder: more would take longer than the budget
_HIDDEN = (".", "_")


def folders(settings: Settings) -> Iterator[Finding]:
    """Folders of data/, state/ and logs/."""
    home = settings.home
    if not home.is_dir():
        yield note("home", f"not there yet [{home}]", "./caudal up, or the first run, makes it")
        return
    data = [settings.layout.data / name for name in FOLDERS]
    places = [home, *data, settings.layout.state, settings.layout.logs]
    missing = [str(path) for path in places if not os.path.lexists(path)]
    bad = [finding for path in places if str(path) not in missing and (finding := _folder(path))]
    yield from bad
    if missing:
        fix = "./caudal up, or the first run that needs them, makes them"
        yield note("home", f"not there yet: {', '.join(missing)}", fix)
    yield from one_file_system([settings.layout.data / name for name in _RENAMED])
    if not bad:
        yield ok("home", f"writable, and publishing is a rename [{home}]")


def _folder(path: Path) -> Finding | None:
    if path.is_symlink():
        fix = "set CAUDAL_HOME to the real place, and make this a folder"
        return wrong("home", f"a link, and Caudal does not follow links [{path}]", fix)
    if not path.is_dir():
        return wrong("home", f"not a folder [{path}]", "move it away; ./caudal up makes the folder")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return wrong("home", f"this user may not write there [{path}]", f"chown or chmod u+rwx {path}")
    return None


def one_file_system(paths: list[Path]) -> Iterator[Finding]:
    """A rename between two file systems is a copy, and a kill can cut it in two."""
    devices = {path: path.stat().st_dev for path in paths if path.is_dir()}
    if len(set(devices.values())) > 1:
        listed = ", ".join(f"{path.name} on device {device}" for path, device in devices.items())
        what = f"publishing is a rename, and these are on several file systems: {listed}"
        yield wrong("home", what, f"mount {paths[0].parent} as one file system")


def secrets(settings: Settings) -> Iterator[Finding]:
    """Checks that files with passwords and keys are readable by their owner alone."""
    password = keys.password_file(settings)
    places = [password, settings.home / "airflow" / "keys.json", settings.home / "airflow" / "airflow.cfg"]
    if settings.kafka_properties:
        places.append(settings.kafka_properties)
    found = [path for path in places if path.is_file()]
    open_ = [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in open_:
        mode = f"{stat.S_IMODE(path.stat().st_mode):04o}"
        yield wrong("secrets", f"mode {mode}: others can read it [{path}]", f"chmod 600 {path}")
    if not found:
        yield note("secrets", "none made yet", "./caudal up makes Airflow's password")
    elif not open_:
        what = f"{len(found)} files that only their owner can read; Airflow's password is in {password}"
        yield ok("secrets", what)


def strangers(settings: Settings) -> Iterator[Finding]:
    """Files in folders that no stream reads, and files in en_proceso that intake did not put there."""
    known = {stream.folder for stream in streams.collect()[0].values() if stream.folder}
    layout = settings.layout
    move = "./caudal new-stream, or move the files to a stream's folder"
    bring_back = "bring back the stream that read this folder: these files were admitted for it"
    strange = [
        *_unread(layout.entrada(""), known, move),
        *_unread(layout.en_proceso(""), known, bring_back),
        *(finding for folder in sorted(known) for finding in _foreign(layout.en_proceso(folder))),
    ]
    yield from strange
    if not strange:
        what = "every file under entrada and en_proceso lies where a stream reads it"
        yield ok("folders", f"{what} ({len(known)} folders)")


def _unread(parent: Path, known: set[str], fix: str) -> Iterator[Finding]:
    for path in _entries(parent):
        if path.is_dir() and not path.is_symlink():
            if path.name not in known and (count := _files(path)):
                yield wrong("folders", f"{_shown(count)} in a folder that no stream reads [{path}]", fix)
        elif not path.name.startswith(_HIDDEN):
            fix = "./caudal put STREAM FILE puts it where it is read"
            yield wrong("folders", f"a file outside every stream's folder [{path}]", fix)


def _foreign(folder: Path) -> Iterator[Finding]:
    names = [
        path.name for path in _entries(folder) if path.name != ".claims" and not ledger.parse_name(path.name)
    ]
    if names:
        what = f"{_shown(len(names))} that intake did not put there, first {names[0]!r} [{folder}]"
        entrada = folder.parent.parent / "entrada" / folder.name
        yield wrong("folders", what, f"move them out of en_proceso and into {entrada}")


def waiting(settings: Settings) -> Iterator[Finding]:
    """Files that are under way, one line per stream: in entrada, admitted, refused, claimed by a killed run.
    None of them is a fault."""
    for stream in streams.collect()[0].values():
        if stream.folder:
            yield from _waiting(settings, stream)


def _waiting(settings: Settings, stream: Stream) -> Iterator[Finding]:
    layout, name = settings.layout, f"files of {stream.name}"
    visible = [path for path in _entries(layout.entrada(stream.folder)) if not path.name.startswith(_HIDDEN)]
    yield from _delivered(stream, name, visible)
    claims = _files(layout.claims(stream.folder))
    if claims:
        what = f"{_shown(claims)} claimed by a run that did not end"
        yield note(name, what, f"./caudal run {stream.name} continues with them")
    folder = layout.refused_files(stream.folder)
    refused = [path for path in _entries(folder) if not path.name.endswith(".reason.json")]
    if refused:
        what = f"{_shown(len(refused))} refused, the reasons beside them [{folder}]"
        yield note(name, what, "correct a copy and ./caudal put it")
    if not (visible or claims or refused):
        admitted = _shown(len(waiting_files(layout, stream)))
        yield ok(name, f"nothing in entrada, nothing refused, {admitted} in en_proceso")


def _delivered(stream: Stream, name: str, visible: list[Path]) -> Iterator[Finding]:
    """Files in entrada: those still being delivered, and the others."""
    more = stream.source.under_way if isinstance(stream.source, Files) else ()
    coming = [path for path in visible if partial_names.is_under_way(path.name, more)]
    if coming:
        what = f"{_shown(len(coming))} in entrada with the name of a delivery under way"
        fix = "nothing while it is being delivered; else rename it, and it is taken in"
        yield note(name, f"{what}, first {coming[0].name!r}", fix)
    if settled := [path for path in visible if path not in coming]:
        what = f"{_shown(len(settled))} in entrada, first {settled[0].name!r}"
        yield note(name, what, f"./caudal run {stream.name}, or the schedule, takes them in")


def staging(settings: Settings) -> Iterator[Finding]:
    """What a killed run left half written. The next run of the stream clears it before it begins."""
    found = _entries(settings.layout.data / "_staging")
    known = streams.collect()[0]
    for path in found:
        if not _files(path):
            continue
        if path.name not in known:
            yield wrong("staging", f"half-written batches of no registered stream [{path}]", f"rm -r {path}")
        else:
            what = f"a run of {path.name} is under way, or was cut short [{path}]"
            yield note("staging", what, f"the next ./caudal run {path.name} clears it")


def _entries(folder: Path) -> list[Path]:
    """The first entries of a folder, sorted; [] when the folder does not exist."""
    return sorted(islice(folder.iterdir(), _MANY)) if folder.is_dir() else []


def _files(folder: Path) -> int:
    """Number of files at any depth, counted up to _MANY."""
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return sum(1 for _ in islice(files, _MANY)) if folder.is_dir() else 0


def _shown(count: int) -> str:
    return f"{'over ' if count >= _MANY else ''}{count} file{'' if count == 1 else 's'}"
