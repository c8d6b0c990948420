"""Hostile machines and shells, and drivers that die.

What a run corrects, what it refuses before Spark starts, and who finishes the report of a dead driver.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.doctor import installation
from include.launch import ended
from include.settings import ROOT, load
from include.state import lease
from include.torture.runs import RUN_S, Home, kill, wait_for
from jobs.contract.run import report
from jobs.contract.run.report import Report
from tests.matrix import long
from tests.pollution import JUNK

BIZUMS = "INÉS;12.5;cena\niñaki  GARCÍA;3;té\n"
ROWS = {("ines", 12.5, "cena"), ("iñaki garcia", 3.0, "té")}
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount, change its user and raise limits again"
)


def home_at(path: Path, **variables: str) -> Home:
    """A home in which one file of bizums waits."""
    home = Home.at(path, "bizums")
    home.settings = load({**home.settings.environ, **variables})
    home.put("b.csv", BIZUMS.splitlines())
    return home


def verb(home: Home, *words: str, before: tuple[str, ...] = (), **options: Any) -> tuple[int, str, str]:
    """Runs ./caudal. Returns exit code, stdout and stderr. `before`: a program and its arguments that start
    it."""
    line = [*before, str(ROOT / "caudal"), *words]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
    environ = {name: text for name, text in home.settings.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(line, env=environ, text=True, timeout=RUN_S, check=False, **options)
    return done.returncode, done.stdout or "", done.stderr or ""


def rows(home: Home) -> set[tuple[str, float, str]]:
    found = [json.loads(text) for text in home.rows().elements()]
    return {(row["Persona"], row["Cantidad"], row["Concepto"]) for row in found}


def failed(home: Home) -> dict[str, Any]:
    """The error of the newest report, whose status must be failed."""
    found = home.report()
    assert (found.status, found.exit_code, found.error is not None) == (
        "failed",
        (found.error or {}).get("exit_code"),
        True,
    )
    return dict(found.error or {})


@pytest.mark.spark
@pytest.mark.slow
def test_a_run_in_a_shell_that_carries_everything_gives_its_exact_rows(tmp_path: Path) -> None:
    """All variables at once, a folder that is deleted, no standard input, umask 777, ignored SIGCHLD, and a
    path with every character."""
    home = home_at(tmp_path / "ñ 日#%41+&;'\"!@$=^~`|<>()", **JUNK)
    gone = tmp_path / "gone"
    gone.mkdir()
    shell = f"cd '{gone}'; rmdir '{gone}'; umask 777; trap '' CHLD; exec \"$@\" <&-"
    code, out, err = verb(home, "run", "bizums", before=("sh", "-c", shell, "sh"))
    assert code == 0, out + err
    assert rows(home) == ROWS
    assert home.report().status == "done"
    assert "Traceback" not in out + err
    assert list((home.settings.tmp / "caudal-bizums").iterdir()) == []


@pytest.mark.spark
@pytest.mark.slow
@needs_root
def test_a_read_only_tmp_a_full_stdout_and_no_host_name_hinder_no_run(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    elsewhere = Path("/mnt")  # the home lies below /tmp, which becomes read-only around it
    mounts = f"mount --bind {home.settings.home} {elsewhere}; mount --bind /tmp /tmp"
    script = f'hostname x.invalid; {mounts}; mount -o remount,bind,ro /tmp; exec "$@"'
    home.settings = load({**home.settings.environ, "CAUDAL_HOME": str(elsewhere)})
    with Path("/dev/full").open("w") as full:
        code, _, err = verb(
            home,
            "run",
            "bizums",
            before=("unshare", "-mu", "sh", "-c", script, "sh"),
            stdout=full,
        )
    home.settings = load({**home.settings.environ, "CAUDAL_HOME": str(tmp_path / "home")})
    assert (code, home.report().status) == (69, "done"), err
    assert err.splitlines()[-1].startswith(
        "caudal: disk-full: the work is done, but standard output could not be written to its end"
    )
    assert rows(home) == ROWS


def limited(kind: int, number: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (number, number))


@pytest.mark.parametrize(
    ("kind", "number", "says"),
    [
        (resource.RLIMIT_NOFILE, 256, "256 open files are allowed, a run needs 512 [ulimit -Hn]"),
        (
            resource.RLIMIT_AS,
            3 * 2**30,
            "3,221,225,472 bytes of addresses are allowed, a run needs 5,368,709,120 [ulimit -v]",
        ),
        (
            resource.RLIMIT_DATA,
            2**30,
            "1,073,741,824 bytes of data are allowed, a run needs 2,147,483,648 [ulimit -d]",
        ),
        (
            resource.RLIMIT_FSIZE,
            100_000,
            "100,000 bytes a file are allowed, a run needs 67,108,864 [ulimit -f]",
        ),
    ],
)
def test_a_limit_that_is_too_low_is_one_line_before_anything_is_touched(
    tmp_path: Path, kind: int, number: int, says: str
) -> None:
    home = home_at(tmp_path)
    code, out, err = verb(home, "run", "bizums", preexec_fn=limited(kind, number))
    assert (code, err, len(out.splitlines())) == (78, "", 1), out + err
    assert out.startswith(f"machine: {says} -> ")
    assert failed(home)["code"] == "machine"
    assert home.files() == ["b.csv"]


def test_a_soft_limit_of_open_files_is_raised(tmp_path: Path) -> None:
    from include.launch import preflight

    code = "from include.launch import preflight; import resource; preflight._raise_files();"
    code += "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    hard = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard)),
    )
    assert done.stdout.split() == [str(hard)] * 2
    assert hard >= preflight.FILES


# The Python of this environment may lie in root's home folder, which nobody else may enter. This script moves
# it into a mount of its own, and takes the user id 54321.
UNSHARED = (
    "p=$(dirname $(dirname $(readlink -f $PYTHON))); t=$(mktemp -d); mount --bind $p $t; "
    "case $p in ~/*) mount -t tmpfs -o mode=755 t ~; mkdir -p $p; mount --move $t $p;; esac; "
    'exec setpriv --reuid 54321 --regid 54321 --clear-groups "$@"'
)


@needs_root
def test_a_user_without_a_name_is_told_before_spark_starts(tmp_path: Path) -> None:
    home = home_at(Path("/var/tmp") / f"caudal-{os.getpid()}-nobody")
    try:
        for folder, folders, files in os.walk(home.settings.home):
            for path in (folder, *(f"{folder}/{name}" for name in (*folders, *files))):
                os.chown(path, 54321, 54321)
        home.settings = load({**home.settings.environ, "PYTHON": sys.executable})
        code, out, err = verb(home, "run", "bizums", before=("unshare", "-m", "sh", "-c", UNSHARED, "sh"))
        assert (code, err) == (78, ""), out + err
        what = "user id 54321 has no name in the password file, and Spark's login needs one [/etc/passwd]"
        assert out.startswith(f"machine: {what} -> add a line")
    finally:
        shutil.rmtree(home.settings.home)


@needs_root
def test_a_home_without_programs_is_told_to_a_stream_that_unpacks_libraries_and_not_to_another(
    tmp_path: Path,
) -> None:
    code = """import sys
from include import settings
from include.launch import preflight
config = settings.load({'CAUDAL_HOME': sys.argv[1]})
for native in (False, True):
    preflight.require(config, config.tmp / 'x', 1024, native=native)
    print(native)
"""
    mounted = f'mount -t tmpfs -o noexec t {tmp_path}; exec "$@"'
    python = [sys.executable, "-P", "-c", code, str(tmp_path / "home")]
    line = ["unshare", "-m", "sh", "-c", mounted, "sh", *python]
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.split() == ["False"], done.stderr
    last = done.stderr.splitlines()[-1]
    assert "the folder for temporary files is mounted noexec" in last
    assert last.endswith("or name another folder with CAUDAL_TMP")


@pytest.mark.parametrize(
    ("stream", "native"),
    [("bizums", False), ("facturas_ficheros", False), ("facturas_kafka", True), ("notificaciones", True)],
)
def test_which_streams_unpack_libraries(stream: str, native: bool) -> None:
    from include.launch import preflight
    from jobs.contract.stream import Files

    row = streams.get(stream)
    assert preflight.needs_native(row) is native
    assert preflight.needs_native(replace(row, sink=Files("parquet")))


def test_a_link_in_place_of_the_folder_for_temporary_files_is_not_followed(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    (tmp_path / "victim").mkdir()
    (tmp_path / "home/tmp").symlink_to(tmp_path / "victim")
    code, out, _ = verb(home, "run", "bizums")
    assert (code, out.startswith("unsafe-path: the path goes through a link")) == (65, True), out
    assert list((tmp_path / "victim").iterdir()) == []


@pytest.mark.parametrize("options", ["-XX:+UseG1GC", *map(long, ("-XX:+NoSuchThing", "-agentlib:nowhere"))])
def test_a_jvm_that_does_not_start_is_told_with_its_own_words(tmp_path: Path, options: str) -> None:
    """A variable that the user lets pass may break the JVM before any code of Caudal runs."""
    home = home_at(tmp_path, CAUDAL_PASS_ENV="JAVA_TOOL_OPTIONS", JAVA_TOOL_OPTIONS=options)
    code, out, err = verb(home, "run", "bizums")
    assert code == 70, out + err
    assert err.splitlines()[-1].startswith(
        "caudal: driver-died: the driver ended with exit code 1 and without a report; it said: "
    )
    error = failed(home)
    assert (error["code"], error["exit_code"]) == ("driver-died", 70)
    assert any("JAVA_TOOL_OPTIONS" in line for line in error["log"])
    assert home.files() == ["b.csv"]


def test_doctor_says_that_no_driver_starts_and_leaves_the_class_data_cache_alone(tmp_path: Path) -> None:
    broken = load(
        {
            **os.environ,
            "CAUDAL_HOME": str(tmp_path),
            "CAUDAL_PASS_ENV": "JAVA_TOOL_OPTIONS",
            "JAVA_TOOL_OPTIONS": "-XX:+UseG1GC",
        }
    )
    (found,) = installation.cache(broken)
    assert (found.check, found.state) == ("driver", "wrong")
    assert "no driver starts here, with or without class data: " in found.what
    assert "arbage collectors selected" in found.what or "Conflicting" in found.what
    assert "rm " not in found.fix


def running(home: Home, number: int, status: str = "running") -> Path:
    made = Report(
        "bizums",
        f"2026110{number}T000000000000Z-0000000{number}",
        status,
        "2026-11-30T00:00:00+00:00",
        generation=1,
    )  # type: ignore[arg-type]
    path = home.settings.layout.run("bizums", made.run_id) / "report.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(made.to_json())
    return path


def test_the_next_run_finishes_what_killed_ones_left_at_running(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "bizums")
    older, other, newer = (running(home, 1), running(home, 2, "done"), running(home, 3))
    newer.with_name("driver.log").write_text("first\njava.lang.OutOfMemoryError: Java heap space\n\tat a.b\n")
    code, out = home.run()
    assert (code, home.report().status) == (0, "idle"), out
    found = [report.read(path) for path in (older, other, newer)]
    assert [one and one.status for one in found] == ["failed", "done", "failed"]
    assert found[2] is not None and found[2].error is not None
    assert (
        found[2]
        .error["what"]
        .endswith("machine went down; it said: java.lang.OutOfMemoryError: Java heap space")
    )
    assert (found[2].exit_code, found[2].error["log"][0]) == (70, "first")


def test_nobody_finishes_the_report_of_a_run_that_is_under_way(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "bizums")
    path = running(home, 1)
    with lease.acquire(
        home.settings.layout,
        "bizums",
        lease.Owner(os.getpid(), "r", "2026-11-30T00:00:00+00:00", str(path.parent)),
    ):
        assert (
            ended.finish(home.settings.layout, "bizums", "20261101T000000000000Z-00000001", ended.End(-9))
            is None
        )
    found = report.read(path)
    assert found is not None and found.status == "running"


@pytest.mark.spark
@pytest.mark.slow
def test_a_killed_jvm_and_a_stopped_command_have_their_reports_and_documented_codes(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    for victim, number, codes, says in (
        ("java", signal.SIGKILL, {70}, "was killed by signal 9"),
        ("caudal", signal.SIGTERM, {143}, "was killed by signal 15"),
    ):
        environ = dict(home.settings.environ)
        line = [str(ROOT / "caudal"), "run", "bizums"]
        with subprocess.Popen(
            line, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as child:
            held = wait_for(lambda: _java_of(home), "the JVM has begun")
            time.sleep(0.5)
            os.kill(held if victim == "java" else child.pid, number)
            out, _ = child.communicate(timeout=60)
        assert child.returncode in codes, out
        assert says in failed(home)["what"]
        assert "Traceback" not in out
        wait_for(lambda: home.processes() == [], "nothing of it is left", 20)
    assert home.files() == ["b.csv"]


def _java_of(home: Home) -> int:
    """The pid of the JVM that holds the lease; 0 before it has begun."""
    owner = lease.holder(home.settings.layout, "bizums")
    try:
        return owner.pid if owner and "java" in Path(f"/proc/{owner.pid}/exe").readlink().name else 0
    except OSError:
        return 0


@pytest.mark.spark
@pytest.mark.slow
def test_kill_9_of_everything_is_told_by_status_and_finished_by_the_next_run(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    process = home.start()
    wait_for(lambda: _java_of(home), "the JVM has begun", of=process)
    kill(process.pid)
    process.communicate()
    _, out, _ = verb(home, "status", "--json")
    assert [
        row["last"] for row in json.loads(out.splitlines()[-1])["streams"] if row["name"] == "bizums"
    ] == ["died"]
    code, out = home.run()
    assert code == 0, out
    assert rows(home) == ROWS
    statuses = [report.read(path) for path in report.newest(home.settings.layout.runs("bizums"))]
    assert [one and one.status for one in statuses] == ["done", "failed"]


@pytest.mark.parametrize(
    ("exit_code", "says"),
    [
        (-9, "was killed by signal 9 (SIGKILL, which the system sends when memory runs out)"),
        (139, "was killed by signal 11 (SIGSEGV)"),
        (1, "ended with exit code 1 and without a report"),
        (-65, "was killed by signal 65 (unknown)"),
        (None, "ended without a report: killed, or the machine went down"),
    ],
)
def test_an_end_in_words(exit_code: int | None, says: str) -> None:
    assert ended.how(exit_code) == says


@pytest.mark.parametrize(
    ("encoding", "narrow", "told"),
    [
        ("ascii", {}, r"\xf1-\u65e5"),
        long(("latin-1", {}, r"ñ-\u65e5")),
        long(("utf-16", {}, "ñ-日")),
        ("ascii", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, r"\xc3\xb1-\xe6\x97\xa5"),
    ],
)
def test_a_file_whose_name_the_terminal_cannot_write_is_put_and_told(
    tmp_path: Path, encoding: str, narrow: dict[str, str], told: str
) -> None:
    file = tmp_path / "ñ-日.csv"
    file.write_text(BIZUMS, encoding="utf-8")
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CAUDAL_HOME": str(tmp_path / "home"),
        "PYTHONIOENCODING": encoding,
        **narrow,
    }
    line = [sys.executable, "-P", "-m", "include.cli", "put", "bizums", str(file)]
    done = subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"{told}.csv" in done.stdout.decode(encoding)
    assert len(list((tmp_path / "home/data/entrada/bizums").iterdir())) == 1


@pytest.mark.parametrize(
    ("target", "code", "last"),
    [("/dev/full", 69, "caudal: disk-full: the work is done, but"), ("closed", 0, ""), ("pipe", 141, "")],
)
def test_work_is_done_whatever_becomes_of_its_output(
    tmp_path: Path, target: str, code: int, last: str
) -> None:
    home = Home.at(tmp_path / "home", "bizums")
    (tmp_path / "b.csv").write_text(BIZUMS, encoding="utf-8")
    redirect = {"/dev/full": ">/dev/full", "closed": ">&- <&-", "pipe": ""}[target]
    read, write = os.pipe()
    os.close(read)  # nobody reads what is written
    with os.fdopen(write, "wb") as out:
        found, _, err = verb(
            home,
            "put",
            "bizums",
            str(tmp_path / "b.csv"),
            before=("sh", "-c", f'exec "$@" {redirect}', "sh"),
            stdout=out,
        )
    assert (found, err.startswith(last), "Traceback" in err) == (code, True, False), err
    assert home.files() == ["b.csv"]
