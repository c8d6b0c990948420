"""Makes the environment of requirements.txt: `python3 -I include/setup/bootstrap.py ROOT ENV`, called by ./caudal.

Runs with the system's Python before anything is installed: standard library only, no import of Caudal.
venv without pip -> vendored pip (checksum first) -> pinned uv -> everything, each by hash. The marker `.ready` comes last, so an
interrupted one is known and made again; what was downloaded is kept for that and removed at the end. One lock, also held by the
children, keeps two at once apart. Progress goes to stderr: stdout is the verb's.
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

SERVICE, CONFIG, INTERRUPTED = (
    69,
    78,
    130,
)  # as jobs/contract/errors.py has them; 130 as a shell does for SIGINT
NEEDED_BYTES = 2_600_000_000  # 1.4 GB installed plus uv's downloads beside it while it works (measured)
# class paths and Spark's globs take them as special; include/settings.py refuses the same
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
REASONS = (  # first match wins: what a package client prints -> exit code, what happened, what to do
    (
        r"No space left on device|Disk quota exceeded|os error 28\b",
        SERVICE,
        "disk-full: no space left while installing",
        "free 3 GB there, then ./caudal setup",
    ),
    (
        r"(?i)hash mismatch|do not match the hashes",
        CONFIG,
        "installation: a downloaded package is not the one the lock names",
        "ask whoever runs the package index; nothing was installed",
    ),
    (
        r"(?i)dns error|name resolution|error sending request|failed to (fetch|establish|connect)|connect(ion)? (refused|reset|error|timed)|timed out"
        r"|unreachable|certificate|ProxyError|Max retries",
        SERVICE,
        "service: the package index does not answer",
        "check network, proxy and certificates (PIP_INDEX_URL and PIP_CERT are honoured), then ./caudal setup",
    ),
)


class Stop(Exception):
    """A foreseen failure: one line for the person, one exit code."""

    def __init__(self, code: int, line: str) -> None:
        super().__init__(line)
        self.code = code


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ready(env: Path) -> bool:
    """Whether `env` was finished at this very place."""
    try:
        return (env / ".ready").read_text() == f"{env}\n"
    except OSError:
        return False


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """The exclusive lock on `path`; waits while another process holds it, and says so. Yields the descriptor, to be passed to children."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another ./caudal makes this environment; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def verified_wheel(vendor: Path) -> Path:
    """The vendored pip, after its bytes were compared with SHA256SUMS."""
    digest, name = (vendor / "SHA256SUMS").read_text().split()
    wheel = vendor / name
    if not wheel.is_file() or hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
        raise Stop(
            CONFIG,
            f"installation: the vendored pip is not the one SHA256SUMS names [{wheel}] -> git checkout -- vendor",
        )
    return wheel


def uv_settings(pip_config: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What `pip config list` says (files and PIP_ variables; environment wins) in uv's own variables. One that is set already stays."""
    found: dict[str, str] = {}
    for line in pip_config.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=('.*'|\".*\")", line.strip())
        if match and match[2] in UV_FROM_PIP and (match[2] not in found or match[1] != "global"):
            found[match[2]] = str(ast.literal_eval(match[3]))
    if "find-links" in found:  # pip passes over a folder that is not there, uv stops
        places = [p for p in found["find-links"].split() if "://" in p or Path(p).is_dir()]
        found["find-links"] = ",".join(places)
    return {UV_FROM_PIP[k]: v for k, v in found.items() if v and not environ.get(UV_FROM_PIP[k])}


def reason(output: str, log: Path) -> Stop:
    """The one line for a failed installer, from what it printed."""
    for pattern, code, what, way in REASONS:
        if re.search(pattern, output):
            return Stop(code, f"{what} [{log}] -> {way}")
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")
    return Stop(CONFIG, f"installation: {last[:200]} [{log}] -> read the named log, then ./caudal setup")


def run(argv: list[str], log: Path, lock: int, environ: Mapping[str, str]) -> str:
    """Runs one step with its output in `log`, tells progress, returns the output. Raises Stop."""
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
        what = f"configuration: the path holds {' '.join(map(repr, bad))}, special to Java class paths"
        raise Stop(CONFIG, f"{what} [{env}] -> set CAUDAL_CACHE, or move the checkout")


def check_machine(env: Path) -> None:
    """Raises Stop where the installation could only fail half way."""
    if importlib.util.find_spec("venv") is None:
        raise Stop(
            CONFIG,
            f"installation: this Python has no venv module [{sys.executable}] -> apt-get install python3-venv",
        )
    free = shutil.disk_usage(env.parent).free
    if free < NEEDED_BYTES:
        what = f"disk-full: {free // 10**6} MB free, {NEEDED_BYTES // 10**6} MB needed"
        raise Stop(SERVICE, f"{what} [{env.parent}] -> free space, or set CAUDAL_CACHE")


def remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)  # noqa: TID251 - an unfinished environment or uv's downloads: made here, holds no data


def make(root: Path, env: Path, lock: int, environ: dict[str, str]) -> None:
    """Every step from nothing to a full environment; the caller holds the lock and writes the marker."""
    setup, log, downloads = (
        root / "include/setup",
        env.with_name(f"{env.name}.log"),
        env.with_name(f"{env.name}.downloads"),
    )
    log.unlink(missing_ok=True)
    python = str(env / "bin/python")
    run([sys.executable, "-I", "-m", "venv", "--without-pip", str(env)], log, lock, environ)
    pip = [python, "-I", f"{verified_wheel(root / 'vendor')}/pip"]
    tools = env / ".tools"
    run(
        [
            *pip,
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-cache-dir",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--retries",
            "2",
            "--require-hashes",
            "--target",
            str(tools),
            "-r",
            str(setup / "tools.txt"),
        ],
        log,
        lock,
        {**environ, "PIP_USER": "0"},
    )
    own = uv_settings(run([*pip, "config", "list"], log, lock, environ), environ)
    own |= {"UV_CACHE_DIR": str(downloads), "UV_PYTHON_DOWNLOADS": "never"}
    run(
        [
            str(tools / "bin/uv"),
            "pip",
            "install",
            "--python",
            python,
            "--require-hashes",
            "--build-constraints",
            str(setup / "build.txt"),
            "-r",
            str(root / "requirements.txt"),
        ],
        log,
        lock,
        {**environ, **own},
    )
    remove(tools)
    remove(downloads)


def missing(root: Path, env: Path) -> list[str]:
    """Packages of requirements.txt that the environment does not hold in the pinned version, or with a file gone; [] is what a sound one gives."""
    site = next(iter(env.glob("lib/python3*/site-packages")), env)
    there = {re.sub(r"[-_.]+", "-", d.name).lower(): d for d in metadata.distributions(path=[str(site)])}
    pins = re.findall(r"^([\w.-]+)==(\S+)(.*)", (root / "requirements.txt").read_text(), re.M)
    return [
        name for name, version, rest in pins if ";" not in rest and not sound(there.get(name), version, site)
    ]


def sound(dist: metadata.Distribution | None, version: str, site: Path) -> bool:
    """Whether a distribution has the version and every file of its RECORD."""
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
    """Makes `env` unless it is there and sound. Raises Stop; after any end but success there is no marker."""
    check_place(env)
    if ready(env) and not missing(root, env):
        return  # nothing to do, so nothing to lock: the cache may be another user's
    env.parent.mkdir(parents=True, exist_ok=True)
    with locked(env.with_name(f"{env.name}.lock")) as lock:
        if ready(env):
            gone = missing(root, env)
            if not gone:
                return
            say(f"the environment is damaged ({', '.join(gone[:3])}); it is made again")
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
    """Who has what is in the way, when it is another user; include/setup/files.py says the same after the installation."""
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
    """`ROOT ENV` makes it; `--check ROOT ENV` only looks: 0 when sound, 1 when not."""
    if argv[0] == "--check":
        return 0 if ready(Path(argv[2])) and not missing(Path(argv[1]), Path(argv[2])) else 1
    root, env = Path(argv[0]), Path(argv[1])
    try:
        ensure(root, env, environ)
    except Stop as stop:
        say(f"caudal: {stop}")
        return stop.code
    except KeyboardInterrupt:
        say("caudal: interrupted; the same command goes on where this one stopped")
        return INTERRUPTED
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "disk-full: no space left while installing" if full else f"installation: {error.strerror}"
        place = Path(error.filename or env)
        say(
            f"caudal: {what}{whose(place)} [{place}] -> mend that, or set CAUDAL_CACHE to another folder, then ./caudal setup"
        )
        return SERVICE if full else CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))  # noqa: TID251 - runs before include/settings.py can; passed on to pip and uv
