"""The supervisor with real, small processes: starts, restarts, gives up, adopts, and leaves nothing
behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.services import processes, records, supervisor
from include.services.processes import Identity
from include.services.records import Plan, Service, StartedService

pytestmark = pytest.mark.slow

ENVIRON = {"PATH": os.environ["PATH"]}
SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
# a child in a process group of its own, as Airflow's tasks are: killpg would miss it
FAMILY = (
    sys.executable,
    "-c",
    "import os,subprocess,sys,time; subprocess.Popen([sys.executable,'-c','import time; "
    "time.sleep(600)'],process_group=0); time.sleep(600)",
)
DEAF = (
    sys.executable,
    "-c",
    "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    "time.sleep(600)",
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "logs").mkdir()
    yield tmp_path
    supervisor.stop(tmp_path, grace_s=0.5)
    assert processes.marked(tmp_path) == set()


def launch(home: Path, **services: tuple[str, ...]) -> None:
    supervisor.launch(home, Plan(tuple(Service(name, argv) for name, argv in services.items()), {}), ENVIRON)


def until(look: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def record(home: Path, name: str) -> StartedService | None:
    return records.read_records(home).get(name)


def running(home: Path, name: str) -> StartedService:
    until(lambda: (found := record(home, name)) is not None and found.alive)
    found = record(home, name)
    assert found is not None
    return found


def test_a_service_leads_its_own_session_and_is_recorded_with_its_start(home: Path) -> None:
    launch(home, one=SLEEPER)
    one = running(home, "one")
    assert os.getsid(one.pid) == one.pid
    assert one.started == processes.started(one.pid)
    assert one.since == pytest.approx(time.time(), abs=10)


def test_a_killed_service_is_started_again_and_its_left_overs_are_gone(home: Path) -> None:
    launch(home, one=FAMILY)
    first = running(home, "one")
    until(lambda: len(processes.members([first.identity])) == 2)
    (child,) = processes.members([first.identity]) - {first.pid}
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: running(home, "one").pid != first.pid)
    assert processes.started(child) == ""
    second = running(home, "one")
    assert second.deaths == 1


def test_a_service_that_always_dies_is_given_up_and_a_nudge_tries_again(home: Path) -> None:
    launch(home, bad=(sys.executable, "-c", "raise SystemExit(7)"), good=SLEEPER)
    until(lambda: (found := record(home, "bad")) and found.state == "gave-up", 25)
    bad = record(home, "bad")
    assert bad is not None
    assert (bad.deaths, bad.last_exit, bad.shown) == (supervisor.FAST_DEATHS, "exit 7", "gave-up")
    assert running(home, "good").deaths == 0
    boss = records.supervisor(home)
    assert boss is not None
    supervisor.nudge(boss)
    until(lambda: (found := record(home, "bad")) and found.deaths < supervisor.FAST_DEATHS)


def test_a_program_that_does_not_exist_is_given_up_too(home: Path) -> None:
    launch(home, none=("/no/such/program",))
    until(lambda: (found := record(home, "none")) and found.state == "gave-up", 25)
    assert "none does not start" in records.log_of(home, "supervisor").read_text()


def test_a_second_supervisor_is_refused(home: Path) -> None:
    launch(home, one=SLEEPER)
    running(home, "one")
    with pytest.raises(Exception, match="the supervisor does not start"):
        launch(home, one=SLEEPER)


def test_a_new_supervisor_takes_over_what_a_killed_one_left(home: Path) -> None:
    launch(home, one=SLEEPER, two=SLEEPER)
    one, two = running(home, "one"), running(home, "two")
    until(lambda: records.supervisor(home))
    boss = records.supervisor(home)
    assert boss is not None
    os.kill(boss.pid, signal.SIGKILL)
    until(lambda: not processes.alive(boss.identity))
    os.kill(two.pid, signal.SIGKILL)
    until(lambda: not two.alive)
    launch(home, one=SLEEPER, two=SLEEPER)
    until(lambda: running(home, "two").pid != two.pid)
    assert running(home, "one").pid == one.pid


def test_stop_names_what_ran_and_leaves_nothing(home: Path) -> None:
    launch(home, one=FAMILY, two=SLEEPER)
    one, two = running(home, "one"), running(home, "two")
    until(lambda: len(processes.members([one.identity])) == 2)
    until(lambda: records.supervisor(home))
    assert supervisor.stop(home) == ["one", "supervisor", "two"]
    assert processes.members([one.identity, two.identity]) == set()
    assert processes.marked(home) == set()
    assert supervisor.stop(home) == []


def test_stop_kills_what_ignores_sigterm(home: Path) -> None:
    launch(home, deaf=DEAF)
    deaf = running(home, "deaf")
    until(lambda: "deaf" in records.log_of(home, "deaf").read_text())
    start = time.monotonic()
    supervisor.stop(home, grace_s=0.5)
    assert not deaf.alive
    assert time.monotonic() - start < 8


def test_stop_finds_orphans_of_a_dead_leader_without_any_record(home: Path) -> None:
    launch(home, one=FAMILY)
    one = running(home, "one")
    until(lambda: len(processes.members([one.identity])) == 2)
    until(lambda: records.supervisor(home))
    boss = records.supervisor(home)
    assert boss is not None
    for pid in (boss.pid, one.pid):
        os.kill(pid, signal.SIGKILL)
    records.forget(home)
    assert len(processes.marked(home)) == 1
    assert supervisor.stop(home) == ["1 left-over process(es)"]
    assert processes.marked(home) == set()


def test_a_home_that_is_removed_stops_its_services(home: Path) -> None:
    launch(home, one=SLEEPER)
    one = running(home, "one")
    until(lambda: records.supervisor(home))
    (records.folder(home) / "supervisor.lock").unlink()
    until(lambda: not one.alive)


def test_a_recycled_pid_is_not_ours() -> None:
    with subprocess.Popen(SLEEPER, start_new_session=True) as other:
        now = processes.identify(other.pid)
        before = Identity(other.pid, f"{now.started.partition(':')[0]}:1")
        assert processes.members([now]) == {other.pid}
        assert processes.members([before]) == set()
        assert (processes.alive(now), processes.alive(before)) == (True, False)
        other.kill()


def test_a_session_of_an_earlier_boot_is_not_ours() -> None:
    assert processes.members([Identity(os.getsid(0), "another-boot:1")]) == set()


def test_a_log_that_grows_is_cut_and_its_end_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = home / "logs/x.log"
    monkeypatch.setattr(supervisor, "_LOG_BYTES", 400)
    log.write_bytes(b"a" * 500 + b"end")
    supervisor._cut(log)
    assert log.read_bytes() == b""
    assert (home / "logs/x.log.1").read_bytes() == b"a" * 97 + b"end"
