"""`./caudal notebook`: the real JupyterLab, looked at from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from include import settings as caudal
from include.labs import notebook
from include.settings import ROOT
from include.torture.brokers import free_ports
from jobs.contract.errors import PortTaken
from tests.integration.airflow_home import connections


@dataclass
class Running:
    process: subprocess.Popen[str]
    home: Path
    said: str

    @property
    def config(self) -> dict[str, Any]:
        return dict(json.loads((self.home / "jupyter" / "jupyter_server_config.json").read_bytes()))

    @property
    def token(self) -> str:
        return str(self.config["IdentityProvider"]["token"])

    def ask(self, path: str, token: str = "", data: bytes | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.config['ServerApp']['port']}{path}", data)
        if token:
            request.add_header("Authorization", f"token {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, None

    def processes(self) -> list[psutil.Process]:
        return [us := psutil.Process(self.process.pid), *us.children(recursive=True)]


OLD = ROOT / "labs" / "04-ventanas.ipynb"


def as_it_was(path: Path) -> str:
    """A notebook of the checkout with the imports that it had before the modules moved."""
    text = path.read_text()
    for now, before in (
        ("from jobs.labs.kit import notebook as cuaderno", "from jobs.core import cuaderno"),
        ("from jobs.labs.kit.files import deliver", "from jobs.core.lab_files import deliver"),
        (
            "from jobs.labs.declared.ends import Folder, Pipeline",
            "from jobs.contract.ends import Folder, Way",
        ),
        ("pipeline = Pipeline(", "pipeline = Way("),
    ):
        assert now in text
        text = text.replace(now, before)
    return text


def line(home: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUDAL_KAFKA", "PYTHON"))}
    return [sys.executable, "-P", "-m", "include.cli", "notebook", *words], kept | {
        "CAUDAL_HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("notebook")
    (home / "cuadernos").mkdir()
    (home / "cuadernos" / OLD.name).write_text(as_it_was(OLD))
    argv, environ = line(home, "--port", str(free_ports(1)[0]))
    process = subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = ""
    while "its token is in" not in said:
        said += (read := process.stdout.readline())
        assert read, said
    yield Running(process, home, said)
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stdout.close()


def shown(process: psutil.Process) -> str:
    """Its arguments and variables; none of one that has ended meanwhile."""
    try:
        return f"{process.cmdline()}{process.environ()}"
    except psutil.Error:
        return ""


pytestmark = pytest.mark.slow  # a server of 5 s


def test_it_answers_on_loopback_alone_and_to_the_token_alone(running: Running) -> None:
    assert running.ask("/api/contents")[0] == 403
    status, found = running.ask("/api/contents", running.token)
    assert (status, sorted(one["name"] for one in found["content"])) == (
        200,
        sorted(path.name for path in (ROOT / "labs").glob("*.ipynb")),
    )
    listening = [
        c.laddr.ip for one in running.processes() for c in connections(one) if c.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_a_copy_made_before_the_modules_moved_gets_its_imports_rewritten_and_the_verb_prints_it(
    running: Running,
) -> None:
    lines = [line for line in running.said.splitlines() if ".ipynb" in line]
    assert lines == [
        f"{OLD.name}: its imports now name the modules at their new places; nothing else was changed"
    ]
    now = (running.home / "cuadernos" / OLD.name).read_text()
    assert now == OLD.read_text().replace("Folder, Pipeline\\n", "Folder, Pipeline as Way\\n").replace(
        "pipeline = Pipeline(", "pipeline = Way("
    )


def test_nothing_is_asked_of_the_network(running: Running) -> None:
    assert running.ask("/lab/api/news", running.token) == (200, {"news": []})
    assert running.ask("/lab/api/update", running.token) == (200, {"notification": None})
    assert "Extension Manager is 'readonly'" in (running.home / "jupyter" / "server.log").read_text()


def test_its_token_shows_in_no_argument_variable_or_log_and_its_files_are_their_owners_alone(
    running: Running,
) -> None:
    token = running.token
    assert [one.pid for one in running.processes() if token in shown(one)] == []
    assert token not in running.said
    holding = [
        path for path in running.home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()
    ]
    assert {path.name for path in holding} >= {"jupyter_server_config.json"}
    assert [path for path in holding if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert stat.S_IMODE((running.home / "jupyter").stat().st_mode) == 0o700


def test_a_second_one_of_the_home_is_refused_in_one_line(running: Running) -> None:
    argv, environ = line(running.home)
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 75
    assert re.fullmatch(
        r"caudal: lease-held: JupyterLab of this home runs already, on port \d+ .*\n", done.stderr
    )


def test_ctrl_c_ends_it_and_its_kernels_and_the_next_start_keeps_token_port_and_copies(
    running: Running,
) -> None:
    mine = running.home / "cuadernos" / "01-palabras.ipynb"
    mine.write_text("{}")
    token, port = running.token, running.config["ServerApp"]["port"]
    assert running.ask("/api/kernels", token, b'{"name": "python3"}')[0] == 201
    family = running.processes()
    assert len(family) >= 3  # the command, the server, the kernel
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0
    assert psutil.wait_procs(family, timeout=20)[1] == []
    settings = caudal.load({**os.environ, "CAUDAL_HOME": str(running.home)})
    again = notebook.start(settings)
    try:
        again.ready()
        assert (again.port, again.secret_address) == (port, f"http://127.0.0.1:{port}/lab?token={token}")
        assert mine.read_text() == "{}"
    finally:
        again.stop()


def test_a_busy_port_that_was_named_is_an_error(tmp_path: Path) -> None:
    settings = caudal.load({**os.environ, "CAUDAL_HOME": str(tmp_path)})
    with socket.create_server(("127.0.0.1", 0)) as busy, pytest.raises(PortTaken, match="--port"):
        notebook.start(settings, busy.getsockname()[1])
