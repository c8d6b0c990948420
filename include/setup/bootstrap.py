"""Makes the environment of requirements.txt: `python3 -I include/setup/bootstrap.py ROOT ENV`, called by
./caudal.

It runs with the system's Python before anything is installed, so it uses the standard library only and
imports nothing of Caudal. The steps: a venv without pip, the vendored pip (its checksum is compared first),
the pinned uv, then everything else, each package by hash.

The marker `.ready` is written last, so an interrupted environment is recognised and made again. Downloads are
kept for that, and removed at the end. A lock, which child processes hold too, keeps two installations apart.
Progress goes to stderr, because stdout belongs to the verb.
"""

from __future__ import annotations

import ast
import errno
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

SERVICE, CONFIG = 69, 78  # the exit codes of jobs/contract/errors.py
INTERRUPTED = 130  # a shell's code for SIGINT
NEEDED_BYTES = 2_600_000_000  # 1.4 GB installed plus uv's downloads beside it while it works (measured)
# special in class paths and Spark's globs; include/settings.py refuses the same
SPECIAL = ",:*?[]{}\\\n\r"
PROGRESS = re.compile(r"\s*(Downloading|Building|Built|Prepared|Installed) ")
UV_FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "no-index": "UV_NO_INDEX",
}
REASONS = (  # output of a package client -> exit code, what happened, what to do; the first match wins
    (
        r"No space left on device|Disk quota exceeded|os error 28\b",
        SERVICE,
        "disk-full: no space left while installing",
        "free 3 GB there, then ./caudal setup",
    ),
    (
        r"(?i)hash mismatch|do not match the hashes",
        CONFIG,
        "installation: a downloaded package does not match its hash in requirements.txt",
        "ask whoever runs the package index; nothing was installed",
    ),
    (
        r"(?i)dns error|name resolution|error sending request|failed to (fetch|establish|connect)"
        r"|connect(ion)? (refused|reset|error|timed)|timed out|unreachable|certificate"
        r"|ProxyError|Max retries",
        SERVICE,
        "service: the package index does not answer",
        "check network, proxy and certificates (PIP_INDEX_URL, PIP_CERT), then ./caudal setup",
    ),
)


class Stop(Exception):
    """A foreseen failure: one line for the user, and an exit code."""

    def __init__(self, code: int, line: str) -> None:
        super().__init__(line)
        self.code = code


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ready(env: Path) -> bool:
    """Whether `env` was finished, in this very folder."""
    try:
        return (env / ".ready").read_text() == f"{env}\n"
    except OSError:
        return False


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Holds the exclusive lock on `path`. If another process holds it, says so and waits. Yields the
    descriptor, which child processes inherit."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is making this environment; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def verified_wheel(vendor: Path) -> Path:
    """The vendored pip, after its bytes were compared with SHA256SUMS."""
    digest, name = (vendor / "SHA256SUMS").read_text().split()
    wheel = vendor / name
    if not wheel.is_file() or hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
        raise Stop(
            CONFIG,
            f"installation: the vendored pip does not match SHA256SUMS [{wheel}] -> git checkout -- vendor",
        )
    return wheel


def uv_settings(pip_config: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of `pip config list` (files and PIP_ variables; the environment wins) as uv's variables. A
    variable that is set already is kept."""
    found: dict[str, str] = {}
    for line in pip_config.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=('.*'|\".*\")", line.strip())
        if match and match[2] in UV_FROM_PIP and (match[2] not in found or match[1] != "global"):
            found[match[2]] = str(ast.literal_eval(match[3]))
    if "find-links" in found:  # pip ignores a missing folder, uv fails
        places = [p for p in found["find-links"].split() if "://" in p or Path(p).is_dir()]
        found["find-links"] = ",".join(places)
    return {UV_FROM_PIP[k]: v for k, v in found.items() if v and not environ.get(UV_FROM_PIP[k])}


def reason(output: str, log: Path) -> Stop:
    """The one-line error for a failed installer, from its output."""
    for pattern, code, what, way in REASONS:
        if re.search(pattern, output):
            return Stop(code, f"{what} [{log}] -> {way}")
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")
    return Stop(CONFIG, f"installation: {last[:200]} [{log}] -> read the named log, then ./caudal setup")


def run(argv: list[str], log: Path, lock: int, environ: Mapping[str, str]) -> str:
    """Runs one step with its output in `log`, prints progress, and returns the output. Raises Stop."""
    lines: list[str] = []
    with (
        log.open("a") as out,
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=dict(environ),
            cwd="/",
            pass_fds=(lock,),
        ) as child,
    ):
        for line in child.stdout or ():
            lines.append(line)
            out.write(line)
            if PROGRESS.match(line):
                say(f"  {line.strip()}")
    if child.returncode:
        raise reason("".join(lines), log)
    return "".join(lines)


def check_place(env: Path) -> None:
    """Raises Stop for a path that Java and Spark would misread later."""
    bad = sorted({c for c in str(env) if c in SPECIAL})
    if bad:
        what = f"configuration: the path contains {' '.join(map(repr, bad))}, special in Java class paths"
        raise Stop(CONFIG, f"{what} [{env}] -> set CAUDAL_CACHE, or move the checkout")


def check_machine(env: Path) -> None:
    """Raises Stop if the installation would fail halfway."""
    if importlib.util.find_spec("venv") is None:
        raise Stop(
            CONFIG,
            f"installation: no venv module in this Python [{sys.executable}] -> apt-get install python3-venv",
        )
    free = shutil.disk_usage(env.parent).free
    if free < NEEDED_BYTES:
        what = f"disk-full: {free // 10**6} MB free, {NEEDED_BYTES // 10**6} MB needed"
        raise Stop(SERVICE, f"{what} [{env.parent}] -> free space, or set CAUDAL_CACHE")


def remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)  # noqa: TID251 - an unfinished environment or uv's downloads: made here, no data in it


def make(root: Path, env: Path, lock: int, environ: dict[str, str]) -> None:
    """All steps from nothing to a full environment. The caller holds the lock and writes the marker."""
    setup, log = root / "include/setup", env.with_name(f"{env.name}.log")
    tools, downloads = env / ".tools", env.with_name(f"{env.name}.downloads")
    log.unlink(missing_ok=True)
    python = str(env / "bin/python")
    run([sys.executable, "-I", "-m", "venv", "--without-pip", str(env)], log, lock, environ)
    pip = [python, "-I", f"{verified_wheel(root / 'vendor')}/pip"]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--retries", "2"]
    wheels = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--target"]
    line = [*pip, "install", *quiet, *wheels, str(tools), "-r", str(setup / "tools.txt")]
    run(line, log, lock, {**environ, "PIP_USER": "0"})
    own = uv_settings(run([*pip, "config", "list"], log, lock, environ), environ)
    own |= {"UV_CACHE_DIR": str(downloads), "UV_PYTHON_DOWNLOADS": "never"}
    line = [str(tools / "bin/uv"), "pip", "install", "--python", python, "--require-hashes"]
    line += ["--build-constraints", str(setup / "build.txt"), "-r", str(root / "requirements.txt")]
    run(line, log, lock, {**environ, **own})
    remove(tools)
    remove(downloads)


def missing(root: Path, env: Path) -> list[str]:
    """Packages of requirements.txt that the environment lacks, has in another version, or has with a file
    missing; [] if it is sound."""
    site = next(iter(env.glob("lib/python3*/site-packages")), env)
    there = {re.sub(r"[-_.]+", "-", d.name).lower(): d for d in metadata.distributions(path=[str(site)])}
    pins = re.findall(r"^([\w.-]+)==(\S+)(.*)", (root / "requirements.txt").read_text(), re.M)
    return [
        name for name, version, rest in pins if ";" not in rest and not sound(there.get(name), version, site)
    ]


def sound(dist: metadata.Distribution | None, version: str, site: Path) -> bool:
    """Whether a distribution has the version, and every file of its RECORD."""
    record = dist and dist.read_text("RECORD")
    if not dist or not record or dist.version != version:
        return False
    exists = os.path.exists  # 30,000 files: half the time of Path.exists
    return all(
        exists(f"{site}/" + line.rsplit(",", 2)[0].strip('"'))
        for line in record.splitlines()
        if not line.endswith(".pyc,,")
    )


def ensure(root: Path, env: Path, environ: dict[str, str]) -> None:
    """Makes `env` unless it exists and is sound. Raises Stop. Unless it succeeds, there is no marker
    afterwards."""
    check_place(env)
    if ready(env) and not missing(root, env):
        return  # nothing to do, and no lock: the cache may belong to another user
    env.parent.mkdir(parents=True, exist_ok=True)
    with locked(env.with_name(f"{env.name}.lock")) as lock:
        if ready(env):
            gone = missing(root, env)
            if not gone:
                return
            say(f"the environment is damaged ({', '.join(gone[:3])}); it is being made again")
            (env / ".ready").unlink()
        check_machine(env)
        start = time.monotonic()
        say(f"making the environment {env} (once; Python {sys.version.split()[0]})")
        remove(env)
        make(root, env, lock, environ)
        (env / ".ready.tmp").write_text(f"{env}\n")
        (env / ".ready.tmp").replace(env / ".ready")
        say(f"environment ready after {time.monotonic() - start:.0f} s")


def whose(place: Path) -> str:
    """The owner of `place`, if it is another user. include/setup/files.py says the same once the environment
    exists."""
    for path in (place, *place.parents):
        try:
            uid = path.stat().st_uid
        except OSError:
            continue
        return (
            ""
            if uid == os.geteuid()
            else f"; {path} belongs to {name(uid)}, and this is {name(os.geteuid())}"
        )
    return ""


def name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def main(argv: list[str], environ: dict[str, str]) -> int:
    """`ROOT ENV` makes the environment; `--check ROOT ENV` only checks it: 0 if it is sound, 1 if not."""
    if argv[0] == "--check":
        return 0 if ready(Path(argv[2])) and not missing(Path(argv[1]), Path(argv[2])) else 1
    root, env = Path(argv[0]), Path(argv[1])
    try:
        ensure(root, env, environ)
    except Stop as stop:
        say(f"caudal: {stop}")
        return stop.code
    except KeyboardInterrupt:
        say("caudal: interrupted; the same command continues from here")
        return INTERRUPTED
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "disk-full: no space left while installing" if full else f"installation: {error.strerror}"
        place = Path(error.filename or env)
        fix = "correct that, or set CAUDAL_CACHE to another folder, then ./caudal setup"
        say(f"caudal: {what}{whose(place)} [{place}] -> {fix}")
        return SERVICE if full else CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))  # noqa: TID251 - runs before include/settings.py can be imported
