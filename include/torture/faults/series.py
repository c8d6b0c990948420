"""Every fault on both sides, each in a temporary folder of its own.

`python -m include.torture.faults.series FAULT SIDE FOLDER` does one and prints its Ends as JSON: for a fault that needs a disk of its own.
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
from include.torture.faults.sides import Caudal, Ends, Plain, Side

SIDES: tuple[type[Side], ...] = (Plain, Caudal)
_TRIES = 3
_MOUNT = 'mount --make-rprivate / && mount -t tmpfs -o size=400m none "$1" || exit 77; exec "$2" -m include.torture.faults.series "$3" "$4" "$1"'


@dataclass(frozen=True)
class Line:
    """One fault and how it ended: by the plain job, by Caudal."""

    fault: str
    plain: Ends
    caudal: Ends


def words(fault: Any) -> str:
    return str(fault.__doc__ or fault.__name__).partition("\n")[0]


def all_faults() -> list[str]:
    """As the whole table has them, in its order."""
    from include.torture.faults import topics

    return [words(fault) for fault in (*files.ALONE, *files.ON_A_DISK, *topics.FAULTS)]


def measure(only: str, with_kafka: bool, say: Callable[[str], None]) -> Iterator[Line]:
    """Faults whose words hold `only`. Those of topics only `with_kafka`; the full disk only for root, where a mount of one's own is possible."""
    for fault in (*files.ALONE, *files.ON_A_DISK):
        if only not in words(fault):
            continue
        way = _alone if fault in files.ALONE else _on_a_disk
        found = [way(fault, side) for side in SIDES]
        if None in found:
            say(f"left out, no mounts here: {words(fault)}")
        else:
            yield _line(words(fault), [ends for ends in found if ends], say)
    if with_kafka:
        from include.torture.faults import topics

        for name, ends in topics.measure(only):
            yield _line(name, ends, say)


def named(name: str, say: Callable[[str], None]) -> Line:
    """The fault of that function's name, on both sides. Raises KeyError for none, RuntimeError where it needs a mount that cannot be made."""
    from include.torture.faults import topics

    known = {fault.__name__: words(fault) for fault in (*files.ALONE, *files.ON_A_DISK, *topics.FAULTS)}
    found = next(
        measure(known[name], with_kafka=name in {fault.__name__ for fault in topics.FAULTS}, say=say), None
    )
    if found is None:
        raise RuntimeError(f"{name} needs a disk of its own, and no mount can be made here")
    return found


def one(fault: files.Fault, side: Side) -> Ends:
    """Does a fault, and after a run that did not end with 0 what its error says, until one does."""
    codes = fault(side)
    for _ in range(_TRIES):
        if codes[-1] == 0:
            break
        side.mend()
        codes.append(side.run())
        if isinstance(side, Plain):  # there is nothing to mend: one more run shows that it stays so
            break
    return side.ends(codes)


def _line(name: str, ends: list[Ends], say: Callable[[str], None]) -> Line:
    say(f"{name}: plain {asdict(ends[0])}, caudal {asdict(ends[1])}")
    return Line(name, *ends)


def _alone(fault: files.Fault, side: type[Side]) -> Ends:
    with tempfile.TemporaryDirectory(prefix="caudal-faults-") as folder:
        return one(fault, side(Path(folder)))


def _on_a_disk(fault: files.Fault, side: type[Side]) -> Ends | None:
    """None where no mount can be made."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="caudal-faults-") as folder:
        call = [
            "unshare",
            "-m",
            "sh",
            "-c",
            _MOUNT,
            "sh",
            folder,
            sys.executable,
            fault.__name__,
            side.__name__,
        ]
        done = subprocess.run(
            call,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 77 or done.stderr.startswith("unshare: "):
        return None
    if done.returncode:
        raise RuntimeError(f"{fault.__name__}, {side.__name__}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Ends(**{**found, "codes": tuple(found["codes"]), "said": tuple(found["said"])})


if __name__ == "__main__":
    name, side_name, place = sys.argv[1:]
    print(
        json.dumps(
            asdict(one(getattr(files, name), {side.__name__: side for side in SIDES}[side_name](Path(place))))
        )
    )
