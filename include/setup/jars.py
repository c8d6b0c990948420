"""Fetches the jars that no Python package brings: Kafka's broker, Spark's Kafka and Avro parts, the compiler
for jvm/, and for labs Delta and a MongoDB in memory.

The Ivy inside pyspark fetches them once, from its default repository; Java's proxy and trust settings in
JAVA_TOOL_OPTIONS apply. It fetches exactly the files of jars.lock, and each is compared with its SHA-256
before it is put in place. `$CAUDAL_CACHE/jars-<lock hash>/{delta,kafka,mongo,spark,build}` is write-once;
`.ready` is written last.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from include.settings import Settings
from include.setup.files import install_errors, missing, one_maker, sha256, whose, write_whole
from include.setup.java import find
from jobs.contract.errors import DiskFull, InstallationError, ServiceError

LOCK = Path(__file__).with_name("jars.lock")
SETS = ("delta", "kafka", "mongo", "spark", "build")
LANES = 4  # Ivys at once: a single one mostly waits for the network, and takes 44 s
TRIES = 2  # a damaged file is fetched once more; then it is an error
NETWORK = re.compile(
    r"UnknownHost|(Connect|Socket)Exception|timed out|SSLHandshake|PKIX"
    r"|(?i:server access error)|unreachable|status code: 5\d\d"
)


@dataclass(frozen=True)
class Jar:
    set: str
    sha256: str
    size_bytes: int
    group: str
    artifact: str
    version: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def pinned() -> list[Jar]:
    """The lock's jars, in its order."""
    rows = [line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    return [
        Jar(s, digest, int(size), group, artifact, version)
        for s, digest, size, group, artifact, version in rows
    ]


def folder(settings: Settings) -> Path:
    return settings.cache / f"jars-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"


def kafka_dir(settings: Settings) -> Path:
    """The folder with all jars of the broker. Raises InstallationError before `setup` has finished."""
    return _made(settings) / "kafka"


def spark_jars(settings: Settings) -> tuple[Path, ...]:
    """The jars that pyspark lacks, sorted. Raises InstallationError before `setup` has finished."""
    return of_set(settings, "spark")


def of_set(settings: Settings, name: str) -> tuple[Path, ...]:
    """The jars of one set of the lock, sorted. Raises InstallationError before `setup` has finished."""
    made = _made(settings) / name
    return tuple(sorted(made / jar.name for jar in pinned() if jar.set == name))


def compiler(settings: Settings) -> Path:
    """The Java compiler, a single jar. Raises InstallationError before `setup` has finished."""
    (name,) = (jar.name for jar in pinned() if jar.set == "build")
    return _made(settings) / "build" / name


def _made(settings: Settings) -> Path:
    made = folder(settings)
    if not is_whole(settings):
        raise missing("jars are missing", made)
    return made


def is_whole(settings: Settings) -> bool:
    """Whether every jar was once compared with the lock, and this user may read them."""
    return os.access(folder(settings) / ".ready", os.R_OK)


def check(settings: Settings) -> list[str]:
    """What is wrong with the jars, by name and size; [] if nothing. Reads no file."""
    made = folder(settings)
    if not is_whole(settings):
        return [f"{made}: not complete{whose(made)}"]
    return [
        f"{path}: {what}" for jar in pinned() if (what := _wrong_size(path := made / jar.set / jar.name, jar))
    ]


def _wrong_size(path: Path, jar: Jar) -> str:
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    return "" if size == jar.size_bytes else f"{size} bytes instead of {jar.size_bytes}"


def _sound(path: Path, jar: Jar) -> bool:
    return not _wrong_size(path, jar) and sha256(path) == jar.sha256


def ensure(settings: Settings, say: Callable[[str], None]) -> None:
    """Fetches what is missing or damaged. Raises InstallationError (a jar is not the pinned one),
    ServiceError (no network), DiskFull.

    Safe to interrupt: jars that are in place stay, and `.ready` is written only after every jar was compared.
    """
    made = folder(settings)
    if is_whole(settings) and not _wanted(made):
        return  # nothing to do, and no lock: the cache may belong to another user
    with install_errors(made), one_maker(made.with_name(f"{made.name}.lock"), say) as lock:
        wanted = _wanted(made)
        if wanted:
            (made / ".ready").unlink(missing_ok=True)
            say(f"fetching {len(wanted)} jars, {sum(j.size_bytes for j in wanted) // 10**6} MB, into {made}")
            _fetch_all(settings, made, lock, say)
        if not (made / ".ready").is_file():
            write_whole(made / ".ready", "every jar compared with jars.lock\n")


def _wanted(made: Path) -> list[Jar]:
    return [jar for jar in pinned() if not _sound(made / jar.set / jar.name, jar)]


def _fetch_all(settings: Settings, made: Path, lock: int, say: Callable[[str], None]) -> None:
    part = made / ".part"
    for _ in range(TRIES):
        wanted = _wanted(made)
        if wanted:
            _fetch_lanes(settings, made, wanted, lock, say)
            shutil.rmtree(part)  # noqa: TID251 - Ivy's downloads: in place by now, or not those of the lock
    wrong = _wanted(made)
    if wrong:
        raise InstallationError(
            f"{', '.join(jar.name for jar in wrong)}: the repository's file does not match jars.lock",
            made,
        )


def _fetch_lanes(
    settings: Settings, made: Path, wanted: list[Jar], lock: int, say: Callable[[str], None]
) -> None:
    """Runs several Ivys at once, each with its own jars and download folder. A jar's lane never changes, so
    an interrupted fetch finds its downloads again."""
    lanes: dict[str, list[Jar]] = {}
    for index, jar in enumerate(pinned()):
        if jar in wanted:
            lanes.setdefault(f"{jar.set}-{index % LANES}", []).append(jar)
    with ThreadPoolExecutor(len(lanes)) as pool:
        runs = [pool.submit(_fetch, settings, made, lane, group, lock, say) for lane, group in lanes.items()]
    for run in runs:
        run.result()


def _place(part: Path, made: Path, group: list[Jar]) -> None:
    """Moves the jars that match their checksum into place, and leaves the others."""
    for jar in group:
        source = part / jar.set / jar.name
        if _sound(source, jar):
            (made / jar.set).mkdir(parents=True, exist_ok=True)
            source.replace(made / jar.set / jar.name)


def ivy_file(group: list[Jar]) -> str:
    """An Ivy module that requests exactly these jars, without their dependencies."""
    lines = [
        f'<dependency org="{j.group}" name="{j.artifact}" rev="{j.version}"'
        ' transitive="false" conf="default->master"/>'
        for j in group
    ]
    info = '<info organisation="caudal" module="jars"/>'
    head = f'<ivy-module version="2.0">{info}<configurations><conf name="default"/></configurations>'
    return "\n".join([head, "<dependencies>", *lines, "</dependencies></ivy-module>", ""])


def _fetch(
    settings: Settings, made: Path, lane: str, group: list[Jar], lock: int, say: Callable[[str], None]
) -> None:
    """Runs one Ivy, and puts the jars that match into place. Raises ServiceError, DiskFull or
    InstallationError with the log's path."""
    part, log = made / ".part", made.with_name(f"{made.name}.log")
    wish = part / f"{lane}.xml"
    write_whole(wish, ivy_file(group))
    argv = [
        str(find(settings).binary),
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        f"-Divy.default.ivy.user.dir={part}/user",
        "-jar",
        str(_ivy()),
        "-ivy",
        str(wish),
        "-confs",
        "default",
        "-retrieve",
        f"{part}/{group[0].set}/[artifact]-[revision].[ext]",
        "-cache",
        f"{part}/ivy-{lane}",
    ]
    output: list[str] = []
    with (
        log.open("a") as out,
        subprocess.Popen(
            argv,
            env=dict(settings.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=(lock,),
        ) as child,
    ):
        for line in child.stdout or ():
            output.append(line)
            out.write(line)
            fetched = re.search(r"\[SUCCESSFUL \] \S+#(\S+);(\S+)!", line)
            if fetched:
                say(f"{fetched[1]}-{fetched[2]}")
    if child.returncode:
        raise _reason("".join(output), log)
    _place(part, made, group)


def _reason(output: str, log: Path) -> DiskFull | ServiceError | InstallationError:
    if "No space left" in output or "Disk quota" in output:
        return DiskFull(
            "no space left while fetching jars", log, cli="free space under CAUDAL_CACHE, then ./caudal setup"
        )
    if NETWORK.search(output):
        way = "check the network (proxy and trust store: JAVA_TOOL_OPTIONS), then ./caudal setup"
        return ServiceError("the jar repository does not answer", log, cli=way)
    missing = re.findall(r"unresolved dependency: (\S+)#(\S+);(\S+):", output)
    names = ", ".join(f"{a}-{v}" for _, a, v in missing[:3]) or "see the log"
    return InstallationError(
        f"the repository does not serve {names}", log, cli="read the named log, then ./caudal setup"
    )


def _ivy() -> Path:
    """The Ivy that pyspark ships. It is found by path, because importing pyspark takes half a second."""
    places = sorted(Path(sys.prefix).glob("lib/python3*/site-packages/pyspark/jars/ivy-*.jar"))
    if not places:
        raise InstallationError("pyspark is not in this environment", sys.prefix)
    return places[-1]
