"""The supervisor: one small process per home that starts the planned services, and starts them again when
they die.

`python -m include.services.supervisor HOME` reads `plan.json`, detaches from its caller and stays. It adopts
services that an earlier supervisor left running. A service that dies FAST_DEATHS times in a row, each time
within FAST_S of its start, is given up; SIGHUP (`up` again) gives it a new chance. SIGTERM ends the
supervisor only: the services are left to the sender, stop() below.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from include.services import files, processes, records
from include.services.records import SUPERVISOR, Plan, Service, StartedService
from include.settings import ROOT
from jobs.contract.errors import ServiceError

FAST_S = 20.0  # a server that dies sooner has never worked
FAST_DEATHS = 4
_BACKOFF_S = (0.2, 1.0, 2.0, 5.0)
_TICK_S = 0.2
_LOG_BYTES = 20 * 1024 * 1024  # a longer log is cut, and its end is kept as .1
# measured: an idle scheduler needs 3 s, a broker 1 s; the API server finishes at once, but Python needs 6 s
# to exit
_GRACE_S = 5.0


@dataclass
class _Watched:
    service: Service
    record: StartedService | None = None
    child: subprocess.Popen[bytes] | None = None
    next_try: float = 0.0  # monotonic


@dataclass
class _Supervisor:
    home: Path
    watched: list[_Watched] = field(default_factory=list)

    def adopt(self) -> None:
        known = records.read_records(self.home)
        for service in records.read_plan(self.home).services:
            record = known.get(service.name)
            if record and not record.alive:  # the record stays: start() kills what is left of its session
                record = replace(record, state="waiting", deaths=0)
            self.watched.append(_Watched(service, record))

    def start(self, one: _Watched) -> None:
        if one.record:
            processes.kill_session(
                one.record.identity
            )  # processes that a dead scheduler left must not run beside its successor
        log = records.log_of(self.home, one.service.name)
        with log.open("ab") as stream:
            child = subprocess.Popen(
                one.service.argv,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.home,
            )
        identity = processes.identify(child.pid)
        deaths = one.record.deaths if one.record else 0
        one.child, one.record = (
            child,
            StartedService(
                one.service.name,
                child.pid,
                identity.started,
                time.time(),
                deaths=deaths,
                ports=one.service.ports,
            ),
        )
        records.write_record(self.home, one.record)

    def _dead(self, one: _Watched) -> bool:
        if one.child:
            return one.child.poll() is not None
        return one.record is None or not one.record.alive

    def _note_death(self, one: _Watched, record: StartedService) -> None:
        code = one.child.returncode if one.child else None
        reason = "killed" if code is None else f"signal {-code}" if code < 0 else f"exit {code}"
        if time.time() - record.since > FAST_S:
            record = replace(record, deaths=0)
        state = "gave-up" if record.deaths + 1 >= FAST_DEATHS else "waiting"
        one.record = records.after_death(record, reason, state)
        one.next_try = time.monotonic() + _BACKOFF_S[min(record.deaths, len(_BACKOFF_S) - 1)]
        records.write_record(self.home, one.record)
        print(f"{_clock()} {record.name} (pid {record.pid}) is gone: {reason}; {state}", flush=True)

    def tend(self, one: _Watched) -> None:
        if one.record and one.record.state == "running" and self._dead(one):
            self._note_death(one, one.record)
        due = one.record is None or (one.record.state == "waiting" and time.monotonic() >= one.next_try)
        if due:
            self._try_start(one)
        _cut(records.log_of(self.home, one.service.name))

    def _try_start(self, one: _Watched) -> None:
        try:
            self.start(one)
        except OSError as error:  # no such program, no more processes, a full disk: handled like a death
            print(f"{_clock()} {one.service.name} does not start: {error}", flush=True)
            one.child = None
            one.record = one.record or StartedService(one.service.name, 0, "", time.time())
            with contextlib.suppress(OSError):
                self._note_death(one, one.record)

    def new_chance(self) -> None:
        for one in self.watched:
            if one.record and one.record.state != "running":
                one.record, one.next_try = replace(one.record, state="waiting", deaths=0), 0.0


def _clock() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _cut(log: Path) -> None:
    """Keeps a log small. Its writers append (O_APPEND), so they continue at the new end."""
    with contextlib.suppress(FileNotFoundError):
        size = log.stat().st_size
        if size > _LOG_BYTES:
            with log.open("rb+") as stream:
                stream.seek(size - _LOG_BYTES // 4)
                log.with_suffix(".log.1").write_bytes(stream.read())
                stream.truncate(0)


def _serve(home: Path) -> None:
    """The main loop. Ends on SIGTERM, and when the home's folder is gone: its services would serve nobody."""
    supervisor, stop = _Supervisor(home), threading.Event()
    chance = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: chance.set())
    supervisor.adopt()
    lock = records.folder(home) / "supervisor.lock"
    while not stop.is_set() and lock.exists():
        if chance.is_set():
            chance.clear()
            supervisor.new_chance()
        for one in supervisor.watched:
            supervisor.tend(one)
        stop.wait(_TICK_S)
    if not stop.is_set():
        processes.kill_all([one.record.identity for one in supervisor.watched if one.record], home)


def main(home: Path) -> int:
    """Detaches from the caller (fork, new session) and serves. The caller gets 0 once the supervisor's lock
    is taken, 1 if another process has it."""
    lock = records.lock(records.folder(home) / "supervisor.lock")
    if lock is None:
        return 1
    if child := os.fork():  # the child shares the lock
        records.write_record(home, StartedService(SUPERVISOR, child, processes.started(child), time.time()))
        return 0
    os.setsid()
    _serve(home)
    return 0


def launch(home: Path, plan: Plan, environ: Mapping[str, str], keep: Collection[int] = ()) -> None:
    """Starts the supervisor of `home` with `plan`. `keep`: descriptors (port reservations) that it holds as
    long as it lives.

    Raises ServiceError if it does not start.
    """
    records.write_plan(home, plan)
    log = records.log_of(home, SUPERVISOR)
    with log.open("ab") as stream:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __spec__.name, str(home)],
            cwd=home,
            env={**environ, "PYTHONPATH": str(ROOT), **plan.env, processes.MARK: str(home.resolve())},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            pass_fds=tuple(keep),
            check=False,
        )
    if done.returncode:
        raise ServiceError(f"the supervisor does not start: {' '.join(files.tail(log)[-1:])}", log)


def nudge(record: StartedService) -> None:
    """Gives a new chance to services that were given up."""
    processes.send([record.pid], signal.SIGHUP)


def stop(home: Path, grace_s: float = _GRACE_S) -> list[str]:
    """Ends the supervisor, then the services, then whatever they left. Returns the names of what was running.

    SIGTERM first: Airflow's parts stop their children on it, and the broker closes its log. SIGKILL after
    `grace_s` seconds: a scheduler would wait for its tasks, and these are safe to kill.
    """
    known = records.read_records(home)
    leaders = [record.identity for record in known.values()]
    running = [name for name, record in known.items() if record.alive]
    if boss := records.supervisor(home):
        processes.send([boss.pid], signal.SIGTERM)
        processes.wait_gone([boss.identity], 2.0)
    processes.send([record.pid for record in known.values() if record.alive], signal.SIGTERM)
    processes.wait_gone(leaders, grace_s)
    killed = processes.kill_all(leaders, home)
    records.forget(home)
    return running or ([f"{killed} left-over process(es)"] if killed else [])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
