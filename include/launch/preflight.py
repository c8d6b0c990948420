"""What a driver needs of the machine, looked at before Spark starts. What can be made right is made right: a folder for temporary files, more
descriptors. What cannot is one MachineUnfit that says what to change, instead of a Java trace."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from include import environment
from include.settings import Settings
from jobs.contract.disk import storage
from jobs.contract.errors import MachineUnfit
from jobs.contract.stream import Files, Published, Source, Stream

MIB = 2**20
FILES = 512  # descriptors: a run of two tasks has 330 open, the jars among them (measured)
TASKS = 160  # threads and processes: a run of two tasks has 60 (measured)
FILE_BYTES = 64 * MIB  # a smaller largest file cuts outputs and logs off in the middle
_ADDRESSES_MIB = 4096  # beside the heap: 2.6 GiB in a small run (1 GiB for classes, a stack for each thread); with too few a JVM hangs
_DATA_MIB = 1024  # beside the heap: 0.7 GiB with nearly none of it (measured)
_MEMORY_MIB = 640  # a small run takes 460 and its Python 100 (measured); the heap may never grow to its limit
_CGROUP = Path("/sys/fs/cgroup")


def require(settings: Settings, place: Path, memory_mib: int, *, native: bool, others: bool = False) -> None:
    """Makes `place` empty and raises the limit of open files as far as it goes. `native`: whether the job unpacks libraries there and maps them.
    `others`: somebody else may be using `place`, so what lies there stays; without it the caller holds what keeps others out.

    Raises MachineUnfit, NotWritable, DiskFull, UnsafePath.
    """
    _user()
    _limits(memory_mib)
    _folder(settings, place, keep=others)
    if native and os.statvfs(place).f_flag & os.ST_NOEXEC:
        what = "the folder for temporary files allows no programs (noexec), and this job maps libraries that it unpacks there (Kafka, Parquet)"
        raise MachineUnfit(what, place, cli="mount it without noexec, or name another folder with CAUDAL_TMP")


def needs_native(stream: Stream) -> bool:
    """Whether an end of the stream is compressed by native code: Parquet's snappy and zstd, whatever a topic's producers chose."""
    return any(_is_native(end) for end in (stream.source, stream.sink))


def _is_native(end: Source) -> bool:
    files = end.files if isinstance(end, Published) else end
    return files.format == "parquet" if isinstance(files, Files) else True


def _user() -> None:
    if not environment.user():
        way = "add a line for it to /etc/passwd (in a container: --user with a name of the image), or run as a user that has one"
        raise MachineUnfit(
            f"user id {os.geteuid()} has no name in the password file, and Spark's login needs one",
            "/etc/passwd",
            cli=way,
        )


def _limits(memory_mib: int) -> None:
    hard = _raise_files()
    if 0 <= hard < FILES:
        raise MachineUnfit(
            f"{hard} open files are allowed, a run needs {FILES}",
            "ulimit -Hn",
            cli=f"allow {FILES} or more (ulimit -n, LimitNOFILE)",
        )
    for name, kind, least, unit in (
        ("ulimit -v", resource.RLIMIT_AS, (memory_mib + _ADDRESSES_MIB) * MIB, "bytes of addresses"),
        ("ulimit -d", resource.RLIMIT_DATA, (memory_mib + _DATA_MIB) * MIB, "bytes of data"),
        ("ulimit -f", resource.RLIMIT_FSIZE, FILE_BYTES, "bytes a file"),
        *((("ulimit -u", resource.RLIMIT_NPROC, TASKS, "processes and threads"),) if os.geteuid() else ()),
    ):
        allowed = resource.getrlimit(kind)[0]
        if 0 <= allowed < least:
            raise MachineUnfit(f"{allowed:,} {unit} are allowed, a run needs {least:,}", name)
    for name, left, least in _cgroup_left():
        if left < least:
            raise MachineUnfit(
                f"this container allows {left:,} {name}, a run needs {least:,}",
                _CGROUP,
                cli="give the container more of it",
            )


def _raise_files() -> int:
    """The soft limit of open files up to the hard one, which it returns; -1 for none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 65536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return -1 if hard == resource.RLIM_INFINITY else hard


def _cgroup_left() -> Iterator[tuple[str, int, int]]:
    """(what, how much is allowed, how much a run needs) by the control group at the root of this name space, which a container has."""
    for name, file, least in (
        ("bytes of memory", "memory.max", _MEMORY_MIB * MIB),
        ("processes and threads", "pids.max", TASKS),
    ):
        try:
            text = (_CGROUP / file).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdigit():
            yield name, int(text), least


def _folder(settings: Settings, place: Path, *, keep: bool) -> None:
    """This user's alone, and empty unless `keep`: what lies there was left by a run that was killed."""
    root = settings.tmp
    with storage.disk_errors(place):
        storage.confine(
            root.parent, root
        )  # in a folder that everybody may write, somebody else may have put a link there
        storage.make_dirs(root)
        if root.stat().st_uid not in (os.geteuid(), root.parent.stat().st_uid):
            raise MachineUnfit(
                "the folder for temporary files belongs to another user",
                root,
                cli="name another folder with CAUDAL_TMP",
            )
        if not keep:
            storage.remove_tree(root, place)
        place.mkdir(0o700, exist_ok=keep)
