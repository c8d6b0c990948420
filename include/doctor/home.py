"""The folders of a home: there, writable, on one file system, without strangers; secrets for the owner alone."""

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
_MANY = 10_000  # names looked at in one folder
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
        yield note(
            "home",
            f"not there yet: {', '.join(missing)}",
            "./caudal up, or the first run that needs them, makes them",
        )
    yield from one_file_system([settings.layout.data / name for name in _RENAMED])
    if not bad:
        yield ok("home", f"writable, and publishing is a rename [{home}]")


def _folder(path: Path) -> Finding | None:
    if path.is_symlink():
        return wrong(
            "home",
            f"a link; Caudal follows none [{path}]",
            "set CAUDAL_HOME to the real place, and make this a folder",
        )
    if not path.is_dir():
        return wrong("home", f"not a folder [{path}]", "move it away; ./caudal up makes the folder")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return wrong("home", f"this user may not write there [{path}]", f"chown or chmod u+rwx {path}")
    return None


def one_file_system(paths: list[Path]) -> Iterator[Finding]:
    """A rename between two file systems is a copy, which a kill cuts in two."""
    devices = {path: path.stat().st_dev for path in paths if path.is_dir()}
    if len(set(devices.values())) > 1:
        listed = ", ".join(f"{path.name} on device {device}" for path, device in devices.items())
        yield wrong(
            "home",
            f"publishing is a rename, and these are on several file systems: {listed}",
            f"mount {paths[0].parent} as one file system",
        )


def secrets(settings: Settings) -> Iterator[Finding]:
    """Files with passwords and keys are readable by their owner alone."""
    places = [
        keys.password_file(settings),
        *(settings.home / "airflow" / name for name in ("keys.json", "airflow.cfg")),
    ]
    if settings.kafka_properties:
        places.append(settings.kafka_properties)
    found = [path for path in places if path.is_file()]
    open_ = [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in open_:
        yield wrong(
            "secrets",
            f"mode {stat.S_IMODE(path.stat().st_mode):04o}: others can read it [{path}]",
            f"chmod 600 {path}",
        )
    if not found:
        yield note("secrets", "none made yet", "./caudal up makes Airflow's password")
    elif not open_:
        yield ok(
            "secrets",
            f"{len(found)} files, for their owner alone; Airflow's password is in {keys.password_file(settings)}",
        )


def strangers(settings: Settings) -> Iterator[Finding]:
    """Files in folders that no stream reads, and foreign names among the admitted."""
    known = {stream.folder for stream in streams.collect()[0].values() if stream.folder}
    layout = settings.layout
    found = [
        *_unread(layout.entrada(""), known, "./caudal new-stream, or move the files to a stream's folder"),
        *_unread(
            layout.en_proceso(""),
            known,
            "bring back the stream that read this folder: these files were admitted for it",
        ),
        *(f for folder in sorted(known) for f in _foreign(layout.en_proceso(folder))),
    ]
    yield from found
    if not found:
        yield ok(
            "folders",
            f"every file under entrada and en_proceso lies where a stream reads it ({len(known)} folders)",
        )


def _unread(parent: Path, known: set[str], fix: str) -> Iterator[Finding]:
    for path in _entries(parent):
        if path.is_dir() and not path.is_symlink():
            if path.name not in known and (count := _files(path)):
                yield wrong("folders", f"{_shown(count)} in a folder that no stream reads [{path}]", fix)
        elif not path.name.startswith(_HIDDEN):
            yield wrong(
                "folders",
                f"a file outside every stream's folder [{path}]",
                "./caudal put STREAM FILE puts it where it is read",
            )


def _foreign(folder: Path) -> Iterator[Finding]:
    names = [
        path.name for path in _entries(folder) if path.name != ".claims" and not ledger.parse_name(path.name)
    ]
    if names:
        what = f"{_shown(len(names))} that intake did not put there, {names[0]!r} the first [{folder}]"
        yield wrong(
            "folders",
            what,
            f"move them out of en_proceso and into {folder.parent.parent / 'entrada' / folder.name}",
        )


def waiting(settings: Settings) -> Iterator[Finding]:
    """What lies on its way, a line a stream: at the door, admitted, refused, claimed by a killed run. None of it is a fault."""
    for stream in streams.collect()[0].values():
        if stream.folder:
            yield from _waiting(settings, stream)


def _waiting(settings: Settings, stream: Stream) -> Iterator[Finding]:
    layout, name = settings.layout, f"files of {stream.name}"
    more = stream.source.under_way if isinstance(stream.source, Files) else ()
    shown = [path for path in _entries(layout.entrada(stream.folder)) if not path.name.startswith(_HIDDEN)]
    if coming := [path for path in shown if partial_names.is_under_way(path.name, more)]:
        what = f"{_shown(len(coming))} in entrada with the name of a delivery under way"
        yield note(
            name,
            f"{what}, {coming[0].name!r} the first",
            "none while it is being delivered; else rename it, and it is taken in",
        )
    if door := [path for path in shown if path not in coming]:
        yield note(
            name,
            f"{_shown(len(door))} in entrada, {door[0].name!r} the first",
            f"./caudal run {stream.name}, or the schedule, takes them in",
        )
    if claims := _files(layout.claims(stream.folder)):
        yield note(
            name,
            f"{_shown(claims)} claimed by a run that did not end",
            f"./caudal run {stream.name} goes on with them",
        )
    refused = [
        path.name
        for path in _entries(layout.refused_files(stream.folder))
        if not path.name.endswith(".reason.json")
    ]
    if refused:
        folder = layout.refused_files(stream.folder)
        yield note(
            name,
            f"{_shown(len(refused))} refused, the reasons beside them [{folder}]",
            "mend a copy and ./caudal put it",
        )
    if not shown and not claims and not refused:
        yield ok(
            name,
            f"nothing at the door, nothing refused, {_shown(len(waiting_files(layout, stream)))} in en_proceso",
        )


def staging(settings: Settings) -> Iterator[Finding]:
    """What a killed run left half written. A run of the stream clears its own before it begins."""
    found = _entries(settings.layout.data / "_staging")
    known = streams.collect()[0]
    for path in found:
        if not _files(path):
            continue
        if path.name not in known:
            yield wrong("staging", f"half-written batches of no registered stream [{path}]", f"rm -r {path}")
        else:
            yield note(
                "staging",
                f"a run of {path.name} is under way, or was cut short [{path}]",
                f"the next ./caudal run {path.name} clears it",
            )


def _entries(folder: Path) -> list[Path]:
    """The first names of a folder, sorted; [] when it is not there."""
    return sorted(islice(folder.iterdir(), _MANY)) if folder.is_dir() else []


def _files(folder: Path) -> int:
    """Files at any depth, the first _MANY counted."""
    return (
        sum(1 for _ in islice((path for path in folder.rglob("*") if not path.is_dir()), _MANY))
        if folder.is_dir()
        else 0
    )


def _shown(count: int) -> str:
    return f"{'over ' if count >= _MANY else ''}{count} file{'' if count == 1 else 's'}"
