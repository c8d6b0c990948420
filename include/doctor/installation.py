"""Python, packages, Java, jars, class-data cache."""

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
_LOCKS = (
    "requirements.txt",
    "include/setup/tools.txt",
    "include/setup/build.txt",
    "vendor/SHA256SUMS",
)  # those of the front door, in its order


def python(version: tuple[int, ...] = sys.version_info[:3], system: str = sys.platform) -> Iterator[Finding]:
    shown = ".".join(map(str, version))
    if version < (3, 11):
        yield wrong(
            "python",
            f"Python {shown}; 3.11 or newer is needed",
            "CAUDAL_PYTHON=/path/to/python3 ./caudal setup",
        )
    elif system != "linux":
        yield note(
            "python",
            f"Python {shown} on {system}: no death signal there, a killed parent leaves a driver running to its end",
        )
    else:
        yield ok("python", f"Python {shown}, {platform.system()} {platform.release()}")


def environment(settings: Settings, prefix: Path = Path(sys.prefix)) -> Iterator[Finding]:
    """Whether `prefix` holds every pinned package, whole, and is the one that the lock files name."""
    gone = bootstrap.missing(settings.root, prefix)
    key = lock_key(settings.root)
    if gone:
        yield wrong(
            "environment",
            f"{len(gone)} packages missing, damaged or of another version: {', '.join(gone[:5])} [{prefix}]",
            SETUP,
        )
    elif prefix.name.startswith("env-") and not prefix.name.startswith(f"env-{key}-"):
        yield wrong(
            "environment", f"made from other lock files than this checkout's ({key}) [{prefix}]", SETUP
        )
    elif prefix.name.startswith("env-") and not bootstrap.ready(prefix):
        yield wrong("environment", f"not finished, or moved from where it was made [{prefix}]", SETUP)
    else:
        yield ok("environment", f"every pinned package, lock {key} [{prefix}]")


def lock_key(root: Path) -> str:
    """What names the environment: the digest of the lock files, as the front door takes it."""
    return hashlib.sha256(b"".join((root / name).read_bytes() for name in _LOCKS)).hexdigest()[:16]


def java_found(settings: Settings) -> Iterator[Finding]:
    found = java.find(settings)
    yield ok("java", f"Java {found.version} ({found.origin}) [{found.home}]")


def versions() -> Iterator[Finding]:
    """`pyspark`, `pyspark-client` and the jars are one version, or every Python function in Spark fails."""
    yield from compare(
        metadata.version("pyspark"), metadata.version("pyspark-client"), class_data.spark_home() / "jars"
    )


def compare(pyspark: str, client: str, folder: Path) -> Iterator[Finding]:
    found = sorted(
        m[1]
        for path in folder.glob("spark-core_*.jar")
        if (m := re.fullmatch(r"spark-core_[0-9.]+-(.+)\.jar", path.name))
    )
    text = f"pyspark {pyspark}, pyspark-client {client}, spark-core {' and '.join(found) or 'missing'}"
    if [pyspark] == [client] == found:
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
    """Those of jvm/, compiled from the sources as they are now."""
    try:
        yield ok("own classes", f"compiled [{jvm.jar(settings)}]")
    except InstallationError as error:
        yield wrong("own classes", f"{error.what} [{error.where}]", SETUP)


def cache(settings: Settings) -> Iterator[Finding]:
    """The class-data cache: there, and taken by a JVM (starts one, 0.8 s). A Java that takes none makes runs slower, nothing else."""
    found = java.find(settings)
    archive = class_data.archive(settings, found)
    if archive is None:
        tried = any((settings.cache / "class-data").glob("*.log"))
        made = any((settings.cache / "class-data").glob("*-*.jsa"))
        if not os.access(settings.cache, os.W_OK):
            what = f"none that fits, and this user cannot make one{whose(settings.cache)}: runs start slower [{settings.cache}]"
            yield note("class-data cache", what, way_out(settings.cache))
        elif tried and not made:
            yield note(
                "class-data cache",
                f"this Java makes none: runs start slower [{settings.cache / 'class-data'}]",
                SETUP,
            )
        else:
            yield wrong(
                "class-data cache",
                f"none that fits: every run starts 5 to 9 s slower [{settings.cache / 'class-data'}]",
                SETUP,
            )
        return
    try:
        taken = class_data.check(settings, found)
    except (
        InstallationError
    ) as error:  # no JVM starts, whatever the archive is like: removing that would cure nothing
        yield wrong(
            "driver",
            f"{error.what} [{error.where}]",
            "mend what is named here; the class-data cache is not the cause",
        )
        return
    if taken:
        yield ok("class-data cache", f"in use, {archive.stat().st_size // 2**20} MiB [{archive}]")
    else:
        yield wrong(
            "class-data cache",
            f"there, but the JVM does not take it: runs start slower [{archive}]",
            f"rm {archive}, then {SETUP}",
        )
