"""Processes and locks for the launcher and Spark's Python driver: the death signal, flock, the state of a
pid.

Written for Linux. Elsewhere a killed parent leaves its child running, and the state of a process is unknown.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import stat
import sys
from io import TextIOWrapper
from pathlib import Path

from jobs.contract.deadline import attempts
from jobs.contract.errors import UnsafePath

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.02  # seconds between two tries for a lock; is_locked holds one for an instant
WORDS = {
    "R": "running", "S": "running (asleep)", "D": "running (waiting for the disk)",
    "T": "STOPPED", "t": "STOPPED by a debugger", "Z": "ended, not yet reaped",
}  # fmt: skip


class Stopped(Exception):
    """SIGTERM or SIGHUP came: a time limit, a shutdown, a closed terminal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number  # as shells report a signal


def begin(folder: Path) -> None:
    """Repairs what this process may have inherited from its caller:

    - closed standard streams: the next file to be opened would become stdout;
    - a working directory that is gone: no JVM starts there, so it becomes `folder`;
    - a umask that takes rights from the owner;
    - ignored SIGCHLD: every child would seem to end with 0;
    - blocked signals;
    - an output encoding that cannot encode what is printed.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout, sys.stderr = sys.stdout or _opened(1), sys.stderr or _opened(2)
    for out in (sys.stdout, sys.stderr):
        if isinstance(out, TextIOWrapper):
            out.reconfigure(errors="backslashreplace")
    try:
        Path.cwd()
    except OSError:
        os.chdir(folder)
    os.umask(os.umask(0) & 0o077)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def tell(text: str) -> None:
    """Prints a line on stdout. If that fails (a closed pipe, a full disk), the line is lost: no run fails for
    a log line."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # else Python would write the same bytes again at its exit


def _opened(fd: int) -> TextIOWrapper:
    return os.fdopen(fd, "w", encoding="utf-8", closefd=False)


def die_with_parent(parent: int) -> None:
    """Lets the kernel kill this process when its parent ends. The setting survives exec.

    `parent`: pid of the parent, read before the call. If the parent has ended since, this process ends here.
    """
    if sys.platform != "linux":
        print(
            "caudal: this system has no death signal; if the parent is killed, this process runs on to its "
            "end",
            file=sys.stderr,
            flush=True,
        )
        return
    # SIGKILL, because a stopped process ignores SIGTERM and would keep the lease
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # Compared after prctl: a parent that ended before it would send no signal.
    if os.getppid() != parent:
        os._exit(1)


def lock(path: Path) -> int | None:
    """A descriptor with an exclusive flock on `path`, which is created if missing; None when another process
    holds it.

    The lock is held until the descriptor is closed or its last holder dies. Children do not inherit it.
    Raises UnsafePath when `path` is a link or not a regular file.
    """
    # flock and not fcntl's locks: those belong to a process and would be lost when another part of it closes
    # the file. O_NOFOLLOW: a link could create a file elsewhere. O_NONBLOCK: a pipe under that name must not
    # block.
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise UnsafePath("a lock file must be a plain file", path) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UnsafePath("a lock file must be a plain file", path)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd


def wait_lock(path: Path, timeout_s: float) -> int | None:
    """As `lock`, but tries for `timeout_s` seconds, and at least once."""
    for _ in attempts(timeout_s, _POLL_S):
        if (fd := lock(path)) is not None:
            break
    return fd


def is_locked(path: Path) -> bool:
    """True while another open file holds the exclusive lock.

    It takes a shared lock for an instant, so whoever wants the exclusive lock should try twice (see
    wait_lock).
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def lock_pid(path: Path) -> int | None:
    """The pid that took the flock on `path`, from /proc/locks; None when the lock is free or the pid
    unknown."""
    try:
        inode = str(path.stat().st_ino)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for words in (line.split() for line in lines):
        if len(words) == 8 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    return None


def make_inheritable(fd: int) -> None:
    """Keeps the descriptor open across exec. Call it right before exec: every child started afterwards
    inherits it, too."""
    os.set_inheritable(fd, True)


def process_state(pid: int) -> str | None:
    """The state letter of a process ('R', 'S', 'D', 'T', 'Z'…); None when there is no such process or no
    /proc."""
    fields = _stat(pid)
    return fields[0] if fields else None


def parent(pid: int) -> int:
    """Pid of a process's parent; 0 when there is no such process."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def start_ticks(pid: int) -> int | None:
    """Start of a process in clock ticks since boot. Pid and start together identify a process, even if the
    pid is used again."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def describe(pid: int) -> str:
    """The state of a process in words."""
    state = process_state(pid)
    return "gone" if state is None else WORDS.get(state, f"in state {state}")


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third one (state) on. The second one, the command, may contain spaces
    and brackets, so the text is cut at the last bracket."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
