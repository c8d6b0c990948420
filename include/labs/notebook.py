"""Notebooks of labs/: JupyterLab on 127.0.0.1 over copies of one's own, or one run of a notebook as it is in
the checkout.

In the home: `cuadernos/` has the copies and what was executed, `jupyter/` the server's settings (mode 0600:
its token), log and run-time files, `labs/cuadernos/` the folder of each notebook's lab.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.kafka import connection
from include.labs import old_imports
from include.launch import command, preflight
from include.services import files, ports
from include.settings import Settings
from jobs.contract.deadline import until
from jobs.contract.disk import processes, storage
from jobs.contract.errors import BrokerDown, ConfigError, LeaseHeld, PortTaken, RunFailed, UsageError
from jobs.contract.nearest import hint
from jobs.labs.declared.lab import LabSpec

PORT = 8888
READY_S = 120.0  # 3 s on an idle machine
_STOP_S = 20.0
_POLL_S = 0.1
_MEMORY_MIB = 1024  # of the JVM of each open notebook


@dataclass(frozen=True)
class Notebook:
    """A notebook of the checkout. `broker`: it needs Kafka (metadata.caudal.broker)."""

    name: str
    path: Path
    title: str
    broker: bool


def collect(settings: Settings) -> dict[str, Notebook]:
    """The notebooks of the checkout by name, sorted. Raises ConfigError for a file that is not a notebook."""
    return {path.stem: _read(path) for path in sorted((settings.root / "labs").glob("*.ipynb"))}


def get(settings: Settings, name: str) -> Notebook:
    """The notebook `name`, with or without .ipynb. Raises UsageError."""
    known = collect(settings)
    if name.removesuffix(".ipynb") not in known:
        what = f"no notebook {name[:40]!r}{hint(name, known)}"
        raise UsageError(what, "labs/", cli="./caudal notebook --list")
    return known[name.removesuffix(".ipynb")]


def _read(path: Path) -> Notebook:
    try:
        raw = json.loads(path.read_bytes())
        title = "".join(raw["cells"][0]["source"]).splitlines()[0].removeprefix("# ")
        return Notebook(path.stem, path, title, bool(raw["metadata"].get("caudal", {}).get("broker")))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ConfigError(
            f"not a notebook ({type(error).__name__})", path, cli="take the one of the checkout again"
        ) from error


def copies(settings: Settings) -> Path:
    """The folder of the user's copies. Missing ones are made; the others stay as they are."""
    folder = settings.home / "cuadernos"
    with storage.disk_errors(folder):
        storage.make_dirs(folder)
        for notebook in collect(settings).values():
            if not (folder / notebook.path.name).exists():
                storage.replace(folder / notebook.path.name, notebook.path.read_bytes())
    return folder


def environment(settings: Settings) -> dict[str, str]:
    """Of the server and of every kernel; the spec that it names is written. Raises InstallationError, but not
    BrokerDown: `cuaderno.kafka` asks."""
    place, jupyter = settings.layout.lab("cuadernos"), settings.home / "jupyter"
    kafka = _bootstrap(settings), str(settings.kafka_properties or "")
    spec = LabSpec("cuadernos", str(settings.home), str(place), {}, *kafka)
    with storage.disk_errors(place):
        for folder in (place, jupyter, jupyter / "matplotlib"):
            storage.make_dirs(folder)
        jupyter.chmod(0o700)
        storage.replace(place / "spec.json", spec.to_json())
    java = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dderby.system.home={place}")
    conf = (
        "spark.ui.enabled=false",
        f"spark.sql.warehouse.dir={place / 'warehouse'}",
        f"spark.caudal.cuaderno={place / 'spec.json'}",
    )
    job = command.Job("cuaderno", Path(), place / "spec.json", _MEMORY_MIB, java, conf)
    preflight.require(settings, command.place(settings, job), _MEMORY_MIB, native=False, others=True)
    base = command.interactive(settings, job, settings.master, sys.executable)
    others = ("JUPYTER", "IPYTHON", "MPL")  # the user's own Jupyter has no say in this one
    kept = {name: value for name, value in base.items() if not name.startswith(others)}
    return kept | {
        "CAUDAL_HOME": str(settings.home),
        "JUPYTER_CONFIG_DIR": str(jupyter),
        "JUPYTER_DATA_DIR": str(jupyter / "data"),
        "JUPYTER_RUNTIME_DIR": str(jupyter / "runtime"),
        "IPYTHONDIR": str(jupyter / "ipython"),
        "MPLCONFIGDIR": str(jupyter / "matplotlib"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }


def _bootstrap(settings: Settings) -> str:
    try:
        return connection.bootstrap(settings)
    except BrokerDown:
        return ""


def execute(settings: Settings, notebooks: Sequence[Notebook]) -> int:
    """Runs them from start to end, one after the other in one kernel that forgets in between; what they gave
    is in `cuadernos/ejecutados`. The exit code: 0, or 1 with the failed cell named. Raises BrokerDown for one
    that needs Kafka when none is known, InstallationError."""
    if any(notebook.broker for notebook in notebooks):
        connection.bootstrap(settings)
    environ = environment(settings)
    done = settings.home / "cuadernos" / "ejecutados"
    with storage.disk_errors(done):
        storage.make_dirs(done)
    us = os.getpid()
    paths = [str(notebook.path) for notebook in notebooks]
    line = [sys.executable, "-P", "-m", "include.labs.notebook_kernel", str(done), *paths]
    with (settings.home / "jupyter" / "kernel.log").open("wb") as log:
        child = subprocess.Popen(
            line, env=environ, cwd=done, stderr=log, preexec_fn=lambda: processes.die_with_parent(us)
        )
    return 1 if child.wait() else 0


@dataclass(frozen=True, repr=False)
class Server:
    """JupyterLab of one home, started. `config` holds the token; `renewed` names the copies whose imports
    were rewritten before the start."""

    port: int
    config: Path
    child: subprocess.Popen[bytes]
    lock: int
    renewed: tuple[str, ...] = ()

    @property
    def log(self) -> Path:
        return self.config.with_name("server.log")

    @property
    def address(self) -> str:
        return f"http://{ports.HOST}:{self.port}/lab"

    @property
    def secret_address(self) -> str:
        """The address with the token, for a terminal only."""
        return f"{self.address}?token={_remembered(self.config)[0]}"

    def ready(self) -> None:
        """Waits until it answers. Raises RunFailed when it ends before, or does not answer in time."""
        until(lambda: self._answers() or self.child.poll() is not None, READY_S, _POLL_S)
        if self.child.poll() is not None or not self._answers():
            raise RunFailed("JupyterLab did not start", self.log, cli=f"read {self.log}")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((ports.HOST, self.port)) == 0

    def wait(self) -> None:
        """Waits until it ends by itself, which it should not: then raises RunFailed."""
        self.child.wait()
        raise RunFailed("JupyterLab has ended by itself", self.log, cli=f"read {self.log}")

    def stop(self) -> None:
        """Ends the server and its kernels; each loses what it had in memory."""
        self.child.terminate()
        try:
            self.child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        os.close(self.lock)


def start(settings: Settings, port: int = 0) -> Server:
    """Starts JupyterLab; it does not answer yet. `port`: 0 for the last one, or a free one.

    Raises LeaseHeld when JupyterLab of this home runs already, PortTaken, InstallationError.
    """
    environ, folder = environment(settings), copies(settings)
    config = settings.home / "jupyter" / "jupyter_server_config.json"
    held = _alone(config)
    renewed = old_imports.renew(folder)  # under the lock: no JupyterLab of this home has a copy open
    token, last = _remembered(config)
    number, us = _port(port, last), os.getpid()
    files.write(config, json.dumps(_config(number, token, folder), indent=1) + "\n", 0o600)
    with config.with_name("server.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "jupyterlab"],
            env=environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            preexec_fn=lambda: processes.die_with_parent(us),
        )
    return Server(number, config, child, held, tuple(renewed))


def _alone(config: Path) -> int:
    held = processes.lock(config.with_name(".lock"))
    if held is None:
        _, port = _remembered(config)
        raise LeaseHeld(
            f"JupyterLab of this home runs already, on port {port}",
            config,
            cli="go there, or end it with Ctrl-C where it runs",
        )
    return held


def _remembered(config: Path) -> tuple[str, int]:
    """(token, port) of the last start; new ones before the first, or when the file is not readable as
    such."""
    try:
        raw = json.loads(config.read_bytes())
        return str(raw["IdentityProvider"]["token"]), int(raw["ServerApp"]["port"])
    except (OSError, ValueError, TypeError, KeyError):
        return secrets.token_urlsafe(24), PORT


def _port(asked: int, last: int) -> int:
    if asked:
        if reason := ports.why_not(asked):
            way_out = "name another with --port, or leave it out"
            raise PortTaken(f"port {asked} cannot be used: {reason}", "--port", cli=way_out)
        return asked
    candidates: list[int] = [last, *range(PORT, PORT + 200)]
    for port in candidates:
        if not ports.why_not(port):
            return port
    raise PortTaken(f"no free port for JupyterLab from {PORT} on", "--port")


def _config(port: int, token: str, folder: Path) -> dict[str, Any]:
    """The server's whole configuration, so that nothing of it shows in a command line. It asks nothing of the
    network."""
    server = {
        "ip": ports.HOST, "port": port, "port_retries": 0, "open_browser": False, "root_dir": str(folder),
        "allow_root": os.geteuid() == 0,  # loopback and a token guard it as well as they do anyone else's
    }  # fmt: skip
    lab = {
        "news_url": None,
        "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "extension_manager": "readonly",
    }
    return {"ServerApp": server, "IdentityProvider": {"token": token}, "LabApp": lab}
