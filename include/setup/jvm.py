"""Compiles Caudal's own JVM classes (`jvm/src`, the strict reader's checker) once for this pyspark, and
builds the class path of a Spark driver.

The compiler is one pinned jar, so a machine needs no JDK, and every machine gets the same classes.
`$CAUDAL_CACHE/jvm-<hash of sources and compiler>/caudal.jar` is write-once.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from include import environment
from include.settings import Settings
from include.setup import jars
from include.setup.files import install_errors, missing, one_maker
from include.setup.java import Java
from jobs.contract.disk import storage
from jobs.contract.errors import InstallationError

TARGET = "17"  # the oldest Java that Spark 4 runs on
COMPILE_S = 120
# pyspark's jars that the sources are compiled against, without their versions
AGAINST = (
    "spark-sql_2.13",
    "spark-sql-api_2.13",
    "spark-catalyst_2.13",
    "spark-unsafe_2.13",
    "spark-common-utils_2.13",
    "hadoop-client-api",
    "jackson-core",
    "scala-library",
    "kryo-shaded",
)
# the time of every file in the jar, so that the same sources make the same bytes
_BIRTH = (2026, 1, 1, 0, 0, 0)


def driver_class_path(settings: Settings) -> str:
    """The value of spark-submit's --driver-class-path. The class-data cache fits only if it is made with the
    same text.

    Raises InstallationError before `setup` has finished.
    """
    return ":".join(map(str, driver_jars(settings)))


def driver_jars(settings: Settings) -> tuple[Path, ...]:
    """Spark's Kafka jars and ours. Raises InstallationError before `setup` has finished."""
    return (*jars.spark_jars(settings), jar(settings))


def jar(settings: Settings) -> Path:
    """Raises InstallationError before `setup` has finished."""
    path = _path(settings)
    if not os.access(path, os.R_OK):
        raise missing("Caudal's own JVM classes are not compiled", path)
    return path


def ensure(settings: Settings, java: Java, spark_home: Path, say: Callable[[str], None]) -> Path:
    """Compiles the classes unless that was done. Raises InstallationError with the compiler's first
    complaint, or DiskFull. Needs the jars of `jars.ensure`."""
    path = _path(settings)
    if os.access(path, os.R_OK):
        return path
    with install_errors(path), one_maker(path.parent.with_suffix(".lock"), say):
        if not path.is_file():
            say("compiling the strict reader's checker")
            _make(settings, java, spark_home, path)
    return path


def _sources(settings: Settings) -> list[Path]:
    return sorted((settings.root / "jvm" / "src").rglob("*.java"))


def _path(settings: Settings) -> Path:
    parts = [path.read_bytes() for path in _sources(settings)]
    if not parts:
        raise InstallationError(
            "the Java sources are missing: this checkout is incomplete",
            settings.root / "jvm" / "src",
            cli="git status",
        )
    parts += [jars.compiler(settings).name.encode(), version("pyspark").encode(), TARGET.encode()]
    return settings.cache / f"jvm-{hashlib.sha256(b'|'.join(parts)).hexdigest()[:16]}" / "caudal.jar"


def _make(settings: Settings, java: Java, spark_home: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="compile-", dir=path.parent) as folder:
        classes, part = Path(folder, "classes"), Path(folder, "caudal.jar")
        _compile(settings, java, spark_home, classes)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as made:
            for file in sorted(classes.rglob("*.class")):
                made.writestr(zipfile.ZipInfo(str(file.relative_to(classes)), _BIRTH), file.read_bytes())
        storage.fsync_file(part)
        part.replace(path)


def _compile(settings: Settings, java: Java, spark_home: Path, classes: Path) -> None:
    path = ":".join(str(_one(spark_home / "jars", name)) for name in AGAINST)
    sources = [str(file) for file in _sources(settings)]
    compiler = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", str(jars.compiler(settings))]
    options = f"-source {TARGET} -target {TARGET} -proc:none -nowarn -encoding UTF-8".split(" ")
    argv = [str(java.binary), *compiler, *options, "-cp", path, "-d", str(classes), *sources]
    try:
        done = subprocess.run(
            argv,
            env=environment.base(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMPILE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        what = f"compiling took over {COMPILE_S} s"
        raise InstallationError(
            what, settings.root / "jvm", cli="free the machine, then ./caudal setup"
        ) from error
    if done.returncode:
        errors = (
            line.strip()
            for line in (done.stderr + done.stdout).splitlines()
            if "ERROR" in line or "Error" in line
        )
        what = f"jvm/src does not compile: {next(errors, 'no message')[:300]}"
        raise InstallationError(what, settings.root / "jvm", cli="correct it, then ./caudal setup")


def _one(folder: Path, name: str) -> Path:
    matches = sorted(folder.glob(f"{name}-[0-9]*.jar"))
    if len(matches) != 1:
        raise InstallationError(f"{len(matches)} jars named {name} instead of one", folder)
    return matches[0]
