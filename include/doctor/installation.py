"""Checks the installation: Python, packages, Java, jars, class-data cache."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from include.doctor.findings import Finding, note, ok, wrong
from include.settings import Settings
from include.setup import bootstrap, class_data, jars, java, jvm
from include.setup.files import way_out, whose
from jobs.contract.errors import InstallationError

SETUP = "./caudal setup"
# the lock files that `caudal`, the front door, hashes into the environment's name; the order counts
_LOCKS = ("requirements.txt", "include/setup/tools.txt", "include/setup/build.txt", "vendor/SHA256SUMS")


def python(version: tuple[int, ...] = sys.version_info[:3], system: str = sys.platform) -> Iterator[Finding]:
    shown = ".".join(map(str, version))
    if version < (3, 11):
        fix = "CAUDAL_PYTHON=/path/to/python3 ./caudal setup"
        yield wrong("python", f"Python {shown}; 3.11 or newer is needed", fix)
    elif system != "linux":
        missing = "no death signal there, so a driver whose parent is killed runs to its end"
        yield note("python", f"Python {shown} on {system}: {missing}")
    else:
        yield ok("python", f"Python {shown}, {platform.system()} {platform.release()}")


def environment(settings: Settings, prefix: Path = Path(sys.prefix)) -> Iterator[Finding]:
    """Whether `prefix` holds every pinned package, undamaged, and is the environment that the lock files
    name."""
    gone = bootstrap.missing(settings.root, prefix)
    key = lock_key(settings.root)
    if gone:
        what = f"{len(gone)} packages missing, damaged or of another version: {', '.join(gone[:5])}"
        yield wrong("environment", f"{what} [{prefix}]", SETUP)
    elif prefix.name.startswith("env-") and not prefix.name.startswith(f"env-{key}-"):
        what = f"made from other lock files than this checkout's ({key}) [{prefix}]"
        yield wrong("environment", what, SETUP)
    elif prefix.name.startswith("env-") and not bootstrap.ready(prefix):
        yield wrong("environment", f"not finished, or moved after it was made [{prefix}]", SETUP)
    else:
        yield ok("environment", f"every pinned package, lock {key} [{prefix}]")


def lock_key(root: Path) -> str:
    """The digest of the lock files, which the front door puts into the name of the environment."""
    return hashlib.sha256(b"".join((root / name).read_bytes() for name in _LOCKS)).hexdigest()[:16]


def java_found(settings: Settings) -> Iterator[Finding]:
    found = java.find(settings)
    yield ok("java", f"Java {found.version} ({found.origin}) [{found.home}]")


def versions() -> Iterator[Finding]:
    """`pyspark`, `pyspark-client` and the jars must be one version, or every Python function in Spark
    fails."""
    yield from compare(
        metadata.version("pyspark"), metadata.version("pyspark-client"), class_data.spark_home() / "jars"
    )


def compare(pyspark: str, client: str, folder: Path) -> Iterator[Finding]:
    names = (re.fullmatch(r"spark-core_[0-9.]+-(.+)\.jar", p.name) for p in folder.glob("spark-core_*.jar"))
    jars = sorted(match[1] for match in names if match)
    text = f"pyspark {pyspark}, pyspark-client {client}, spark-core {' and '.join(jars) or 'missing'}"
    if [pyspark] == [client] == jars:
        yield ok("versions", text)
    else:
        yield wrong("versions", f"{text}: all three must be equal [{folder}]", SETUP)


def kafka_jars(settings: Settings) -> Iterator[Finding]:
    bad = jars.check(settings)
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        yield wrong("jars", "; ".join(bad[:3]) + more, SETUP)
    else:
        yield ok("jars", f"{len(jars.pinned())} jars of the pinned sizes [{jars.folder(settings)}]")


def own_classes(settings: Settings) -> Iterator[Finding]:
    """The classes of jvm/, compiled from the sources as they are now."""
    try:
        yield ok("own classes", f"compiled [{jvm.jar(settings)}]")
    except InstallationError as error:
        yield wrong("own classes", f"{error.what} [{error.where}]", SETUP)


def cache(settings: Settings) -> Iterator[Finding]:
    """Whether the class-data cache exists, and a JVM accepts it (starts one, 0.8 s). Without it runs are
    slower, and nothing else."""
    found = java.find(settings)
    archive = class_data.archive(settings, found)
    if archive is None:
        yield _no_cache(settings)
        return
    try:
        accepted = class_data.check(settings, found)
    except InstallationError as error:
        # no JVM starts at all, whatever the archive is like: removing it would not help
        fix = "repair what is named here; the class-data cache is not the cause"
        yield wrong("driver", f"{error.what} [{error.where}]", fix)
        return
    if accepted:
        yield ok("class-data cache", f"in use, {archive.stat().st_size // 2**20} MiB [{archive}]")
    else:
        what = f"there, but the JVM does not accept it: runs start slower [{archive}]"
        yield wrong("class-data cache", what, f"rm {archive}, then {SETUP}")


def _no_cache(settings: Settings) -> Finding:
    folder = settings.cache / "class-data"
    if not os.access(settings.cache, os.W_OK):
        what = f"none that fits, and this user cannot make one{whose(settings.cache)}: runs start slower"
        return note("class-data cache", f"{what} [{settings.cache}]", way_out(settings.cache))
    if any(folder.glob("*.log")) and not any(folder.glob("*-*.jsa")):  # set-up has tried, and got none
        return note("class-data cache", f"this Java makes none: runs start slower [{folder}]", SETUP)
    return wrong("class-data cache", f"none that fits: every run starts 5 to 9 s slower [{folder}]", SETUP)
