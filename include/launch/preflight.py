"""Checks what a driver needs of the machine before Spark starts.

What can be put right is put right: a folder for temporary files, a higher limit of open files. For the rest,
MachineUnfit says what to change, instead of a Java trace.
"""

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
FILE_BYTES = 64 * MIB  # with a lower limit, outputs and logs are cut off in the middle
# address space in addition to the heap: a small run has 2.6 GiB (1 GiB for classes, a stack for each thread);
# with too little a JVM hangs
_ADDRESSES_MIB = 4096
_DATA_MIB = 1024  # in addition to the heap: 0.7 GiB with a nearly empty heap (measured)
# a small run takes 460 and its Python 100 (measured); the heap's limit is not added, since it may never grow
# so far
_MEMORY_MIB = 640
_CGROUP = Path("/sys/fs/cgroup")


def require(settings: Settings, place: Path, memory_mib: int, *, native: bool, others: bool = False) -> None:
    """Empties `place` and raises the limit of open files as far as it goes. `native`: the job unpacks
    libraries there and maps them. `others`: someone else may be using `place`, so its files stay; without it
    the caller holds the lock that keeps others out.

    Raises MachineUnfit, NotWritable, DiskFull, UnsafePath.
    """
    _user()
    _limits(memory_mib)
    _folder(settings, place, keep=others)
    if native and os.statvfs(place).f_flag & os.ST_NOEXEC:
        mount = "the folder for temporary files is mounted noexec"
        what = f"{mount}, and this job unpacks libraries there and maps them (Kafka, Parquet)"
        raise MachineUnfit(what, place, cli="mount it without noexec, or name another folder with CAUDAL_TMP")


def needs_native(stream: Stream) -> bool:
    """Whether native code compresses the source or the sink: Parquet's snappy and zstd, and whatever the
    producers of a topic have chosen."""
    return any(_is_native(end) for end in (stream.source, stream.sink))


def _is_native(end: Source) -> bool:
    files = end.files if isinstance(end, Published) else end
    return files.format == "parquet" if isinstance(files, Files) else True


def _user() -> None:
    if not environment.user():
        what = f"user id {os.geteuid()} has no name in the password file, and Spark's login needs one"
        add = "add a line for it to /etc/passwd (in a container: --user with a name of the image)"
        raise MachineUnfit(what, "/etc/passwd", cli=f"{add}, or run as a user that has one")


def _limits(memory_mib: int) -> None:
    hard = _raise_files()
    if 0 <= hard < FILES:
        what, way = f"{hard} open files are allowed, a run needs {FILES}", f"allow {FILES} or more"
        raise MachineUnfit(what, "ulimit -Hn", cli=f"{way} (ulimit -n, LimitNOFILE)")
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
            what = f"this container allows {left:,} {name}, a run needs {least:,}"
            raise MachineUnfit(what, _CGROUP, cli="give the container more of it")


def _raise_files() -> int:
    """Raises the soft limit of open files to the hard one, and returns that; -1 for no limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 65536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return -1 if hard == resource.RLIM_INFINITY else hard


def _cgroup_left() -> Iterator[tuple[str, int, int]]:
    """(what, how much is allowed, how much a run needs), from the control group at the root of this name
    space. Only a container has one."""
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
    """Creates `place` for this user alone, empty unless `keep`: what lies there was left by a killed run."""
    root = settings.tmp
    with storage.disk_errors(place):
        # everybody may write to /tmp, so somebody else may have put a link there
        storage.confine(root.parent, root)
        storage.make_dirs(root)
        if root.stat().st_uid not in (os.geteuid(), root.parent.stat().st_uid):
            what = "the folder for temporary files belongs to another user"
            raise MachineUnfit(what, root, cli="name another folder with CAUDAL_TMP")
        if not keep:
            storage.remove_tree(root, place)
        place.mkdir(0o700, exist_ok=keep)
