"""Every fault on both sides, each in a temporary folder of its own.

`python -m include.torture.faults.series FAULT SIDE FOLDER` does one and prints its Ends as JSON. A fault that
needs a disk of its own runs so, in a mount namespace.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from include.settings import ROOT
from include.torture.faults import files
from include.torture.faults.sides import Caudal, Ends, Plain, Side, one

SIDES: tuple[type[Side], ...] = (Plain, Caudal)
# arguments: mount point, Python, fault, side
_MOUNT = (
    'mount --make-rprivate / && mount -t tmpfs -o size=400m none "$1" || exit 77; '
    'exec "$2" -m include.torture.faults.series "$3" "$4" "$1"'
)


@dataclass(frozen=True)
class Line:
    """One fault and how it ended: by the plain job, by Caudal."""

    fault: str
    plain: Ends
    caudal: Ends


def words(fault: Any) -> str:
    return str(fault.__doc__ or fault.__name__).partition("\n")[0]


def all_faults() -> list[str]:
    """The names of all faults, in the order of the table."""
    from include.torture.faults import topics

    return [words(fault) for fault in (*files.ALONE, *files.ON_A_DISK, *topics.FAULTS)]


def measure(only: str, with_kafka: bool, say: Callable[[str], None]) -> Iterator[Line]:
    """The faults whose name contains `only`. Faults of topics run only `with_kafka`; the full disk only as
    root, and where a mount namespace is possible."""
    for fault in (*files.ALONE, *files.ON_A_DISK):
        if only not in words(fault):
            continue
        do = _alone if fault in files.ALONE else _on_a_disk
        both = [do(fault, side) for side in SIDES]
        if None in both:
            say(f"left out, no mounts here: {words(fault)}")
        else:
            yield _line(words(fault), [ends for ends in both if ends], say)
    if with_kafka:
        from include.torture.faults import topics

        for name, ends in topics.measure(only):
            yield _line(name, ends, say)


def named(name: str, say: Callable[[str], None]) -> Line:
    """The fault whose function has that name, on both sides. Raises KeyError for an unknown name,
    RuntimeError where the fault needs a mount that cannot be made."""
    from include.torture.faults import topics

    known = {fault.__name__: words(fault) for fault in (*files.ALONE, *files.ON_A_DISK, *topics.FAULTS)}
    needs_kafka = name in {fault.__name__ for fault in topics.FAULTS}
    line = next(measure(known[name], needs_kafka, say), None)
    if line is None:
        raise RuntimeError(f"{name} needs a disk of its own, and no mount can be made here")
    return line


def _line(name: str, ends: list[Ends], say: Callable[[str], None]) -> Line:
    say(f"{name}: plain {asdict(ends[0])}, caudal {asdict(ends[1])}")
    return Line(name, *ends)


def _alone(fault: files.Fault, side: type[Side]) -> Ends:
    with tempfile.TemporaryDirectory(prefix="caudal-faults-") as folder:
        chosen = side(Path(folder))
        return one(fault, chosen, chosen.run)


def _on_a_disk(fault: files.Fault, side: type[Side]) -> Ends | None:
    """None where no mount can be made."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return None
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory(prefix="caudal-faults-") as folder:
        shell = ["unshare", "-m", "sh", "-c", _MOUNT, "sh"]
        line = [*shell, folder, sys.executable, fault.__name__, side.__name__]
        done = subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode == 77 or done.stderr.startswith("unshare: "):
        return None
    if done.returncode:
        raise RuntimeError(f"{fault.__name__}, {side.__name__}: {done.stderr[-2000:]}")
    raw = json.loads(done.stdout.splitlines()[-1])
    return Ends(**{**raw, "codes": tuple(raw["codes"]), "said": tuple(raw["said"])})


if __name__ == "__main__":
    name, side_name, place = sys.argv[1:]
    chosen = next(side for side in SIDES if side.__name__ == side_name)(Path(place))
    print(json.dumps(asdict(one(getattr(files, name), chosen, chosen.run))))
