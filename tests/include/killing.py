"""Kills a forked copy of this process at a chosen point.

The point is a failpoint, or a moment before or after any call that changes the disk.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from include.state import journal
from jobs.contract.disk import failpoints, ledger, sqlite, storage

MODES = ("rename", "link", "copy")  # how a file moves: renameat2; link + unlink; copy from another device
Arm = Callable[[], None]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, if there is one: a kill needs no disk, and thousands of flushes take minutes on a
    busy disk."""
    base = Path("/dev/shm")
    if not base.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir=base, prefix="caudal-kill-"))
    yield folder
    storage.remove_tree(base, folder)


def use(mode: str, source: str) -> None:
    """Makes this (forked) process move files by `mode`. `source`: part of the paths that lie on another
    device."""
    if mode == "rename":
        return
    storage.rename_noreplace = lambda src, dst: False
    if mode == "copy":
        real = os.link

        def link(src: Path, dst: Path, **words: Any) -> None:
            if Path(src).parent != Path(dst).parent and source in str(src):
                raise OSError(errno.EXDEV, "another device")
            real(src, dst, **words)

        os.link = link


def at_failpoint(name: str, hit: int) -> Arm:
    def arm() -> None:
        failpoints._ARMED = f"{name}:{hit}"

    return arm


def at_change(step: int) -> Arm:
    """SIGKILL at the step-th point. Each changing call, and each transaction of the journal or the ledger,
    has two points."""
    left = [step]

    def point() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepped(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **words: Any) -> Any:
            point()
            result = real(*args, **words)
            point()
            return result

        return call

    @contextmanager
    def transaction(db: Any) -> Iterator[None]:
        with sqlite.transaction(db):
            yield
            point()
        point()

    def arm() -> None:
        for name in ("link", "unlink", "replace", "rename", "mkdir", "fsync", "utime"):
            setattr(os, name, stepped(getattr(os, name)))
        storage.rename_noreplace = stepped(storage.rename_noreplace)
        journal.transaction = ledger.transaction = transaction

    return arm


def killed(work: Callable[[], object], *arms: Arm) -> bool:
    """Does `work` in a forked process with these `arms`; False if it was not killed."""
    pid = os.fork()
    if pid == 0:
        try:
            for arm in arms:
                arm()
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    assert status in (0, signal.SIGKILL), "the child failed by itself"
    return status != 0
