import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from include.intake import Refusal, waiting_files
from jobs.contract.disk import ledger
from jobs.contract.errors import DataError, LedgerDamaged, UnsafePath
from jobs.contract.stream import Stream, Topic
from tests.include.intake.home import NOW, OLD_NS, Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.entrada.mkdir(parents=True)
    return made


def test_a_file_is_admitted_under_sequence_hash_and_safe_name_with_its_new_time(home: Home) -> None:
    home.deliver("facturas (1).json", b'{"a":1}\n\n{"a":2}')
    taken = home.admit()
    [entry] = taken.admitted
    assert (entry.sequence, entry.records, entry.size_bytes, entry.original_name) == (
        1,
        2,
        16,
        "facturas (1).json",
    )
    assert entry.name == f"000000000001-{entry.content_hash[:16]}-facturas__1_.json"
    assert (entry.original_mtime_ns, entry.mtime_ms, entry.admitted_at) == (
        OLD_NS,
        int(NOW * 1000),
        "2027-01-15T08:00:00.000+00:00",
    )
    assert home.visible() == {entry.name: b'{"a":1}\n\n{"a":2}'}
    assert (home.layout.en_proceso("s") / entry.name).stat().st_mtime_ns == int(NOW) * 10**9
    assert (list(home.entrada.iterdir()), taken.refused, taken.waiting, home.slept) == ([], (), (), [])
    assert waiting_files(home.layout, home.stream) == (entry.name,)
    assert ledger.lookup(home.layout.ledger("s"), [entry.name, "unknown"]) == {entry.name: entry}


def test_files_keep_their_order_of_delivery_and_times_never_repeat_even_when_the_clock_goes_back(
    home: Home,
) -> None:
    for name, age in (("new", 3), ("old", 1), ("mid", 2)):
        home.deliver(name, name.encode(), OLD_NS + age)
    first = home.admit()
    home.now -= 1000
    home.deliver("later", b"later")
    second = home.admit()
    assert [e.original_name for e in first.admitted + second.admitted] == ["old", "mid", "new", "later"]
    assert [e.mtime_ms - int(NOW * 1000) for e in first.admitted + second.admitted] == [0, 1, 2, 3]
    assert [e.sequence for e in first.admitted + second.admitted] == [1, 2, 3, 4]


def test_only_a_finished_row_makes_a_duplicate_and_it_says_of_what(home: Home) -> None:
    home.deliver("a.json", b"same\n")
    [entry] = home.admit().admitted
    home.deliver("b.json", b"same\n")
    home.deliver("c.json", b"new\n")
    home.deliver("d.json", b"new\n")
    taken = home.admit()
    assert [e.original_name for e in taken.admitted] == ["c.json"]
    duplicate = f"duplicate: the content of a.json of 2027-01-15T08:00:00Z, admitted as {entry.name}"
    assert taken.refused[0] == Refusal("b.json", f"{entry.content_hash[:16]}-b.json", duplicate)
    assert taken.refused[1].reason.startswith("duplicate: the content of c.json of ")
    beside = home.layout.refused_files("s") / f"{entry.content_hash[:16]}-b.json.reason.json"
    assert json.loads(beside.read_bytes()) == {
        "version": 1,
        "code": "duplicate",
        "reason": duplicate,
        "original_name": "b.json",
        "content_hash": entry.content_hash,
        "size_bytes": 5,
        "original_mtime_ns": OLD_NS,
        "refused_at": "2027-01-15T08:00:00.000+00:00",
        "stream": "s",
    }
    home.deliver("b.json", b"same\n")
    assert [r.name for r in home.admit().refused] == [f"{entry.content_hash[:16]}.2-b.json"]
    assert sorted(home.refused().values()) == [b"new\n", b"same\n", b"same\n"]


def test_an_unfinished_row_without_its_file_blocks_nothing(home: Home) -> None:
    home.deliver("a", b"x\n")
    [entry] = home.admit().admitted
    (home.layout.en_proceso("s") / entry.name).unlink()
    with sqlite3.connect(home.layout.ledger("s")) as db:
        db.execute("UPDATE entry SET finished = 0")
    db.close()
    home.deliver("a", b"x\n")
    taken = home.admit()
    assert ([e.sequence for e in taken.admitted], taken.refused) == ([2], ())
    assert [(row[0], row[4]) for row in home.rows()] == [(taken.admitted[0].name, 1)]


def test_unfit_files_go_to_cuarentena_and_never_block_the_others(home: Home) -> None:
    home.deliver("empty.json", b"")
    home.deliver("cut.json.gz", b"\x1f\x8b\x08")
    home.deliver("x.zst", b"zz")
    home.deliver("good.json", b"1\n")
    taken = home.admit()
    assert [e.original_name for e in taken.admitted] == ["good.json"]
    assert {r.original_name: r.reason for r in taken.refused} == {
        "empty.json": "empty: no byte in it",
        "cut.json.gz": "truncated: the gzip ends too early; deliver it again",
        "x.zst": "packed: .zst files cannot be counted; deliver plain text, .gz or .bz2",
    }
    assert sorted(home.refused().values()) == [b"", b"\x1f\x8b\x08", b"zz"]


HOSTILE = [
    b"new\nline.json",
    b"[a]{b}*?.json",
    b"back\\slash",
    b"c:o:l:on",
    "ñandú-\u202e.json".encode(),
    b"\xff\xfe.json",
    b"x" * 255,
    b"-rf",
    b" ",
    b"a\tb",
    b"..x",
]


def test_hostile_names_become_safe_ones_and_the_content_arrives(home: Home) -> None:
    for number, name in enumerate(HOSTILE):
        home.deliver(name, b"%d\n" % number)
    taken = home.admit()
    visible = [name for name in HOSTILE if not name.startswith(b".")]
    assert len(taken.admitted) == len(visible) == len(HOSTILE) - 1
    assert sorted(home.visible().values()) == sorted(
        b"%d\n" % n for n, name in enumerate(HOSTILE) if name in visible
    )
    assert all(ledger.parse_name(name) for name in home.visible())
    assert {e.original_name for e in taken.admitted} == {
        n.decode("utf-8", "backslashreplace") for n in visible
    }
    json.dumps([e.original_name for e in taken.admitted], ensure_ascii=False).encode()


def test_links_fifos_and_folders_stay_and_are_said_and_hidden_names_are_left_alone(
    home: Home, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret\n")
    (home.entrada / "link").symlink_to(secret)
    (home.entrada / "folder").mkdir()
    os.mkfifo(home.entrada / "fifo")
    for name in (".hidden", "_under", "x.tmp", "x.part"):
        home.deliver(name, b"1\n")
    taken = home.admit()
    assert sorted(taken.waiting) == [
        "fifo: not a regular file",
        "folder: a folder; only files directly in entrada are taken",
        "link: a link; links are never followed",
    ]
    assert (taken.admitted, taken.refused, home.visible(), secret.read_bytes()) == ((), (), {}, b"secret\n")
    assert len(list(home.entrada.iterdir())) == 7


def test_a_fresh_file_is_waited_for_once_and_taken_when_unchanged(home: Home) -> None:
    home.deliver("fresh", b"1\n", int((NOW - 0.5) * 1e9))
    taken = home.admit()
    assert (len(taken.admitted), home.slept) == (1, [1.5])


def test_a_file_of_the_future_counts_by_observation(home: Home) -> None:
    home.deliver("future", b"1\n", int((NOW + 10**8) * 1e9))
    taken = home.admit()
    assert (len(taken.admitted), home.slept) == (1, [2.0])
    assert taken.admitted[0].mtime_ms == int(NOW * 1000) + 2000


def test_a_file_that_changes_or_arrives_while_waiting_stays_and_is_said(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.deliver("grows", b"1\n", int(NOW * 1e9))
    home.deliver("rests", b"2\n", int(NOW * 1e9))
    monkeypatch.setattr(
        Home,
        "sleep",
        lambda self, seconds: (
            self.deliver("grows", b"1\n2\n", int(NOW * 1e9)),
            self.deliver("comes", b"3\n"),
        ),
    )
    taken = home.admit()
    assert [e.original_name for e in taken.admitted] == ["rests"]
    assert sorted(taken.waiting) == ["comes: has just arrived", "grows: still changing"]


def test_a_file_a_process_still_writes_stays_until_it_is_closed(home: Home) -> None:
    path = home.deliver("open.json", b"1\n")
    with path.open("ab") as writer:
        assert home.admit().waiting == ("open.json: a process has it open for writing",)
        assert path.exists()
        writer.write(b"2\n")
    os.utime(path, ns=(OLD_NS, OLD_NS))
    assert [e.records for e in home.admit().admitted] == [2]


def test_a_claim_a_writer_still_holds_is_put_back(home: Home) -> None:
    """A run was killed after claiming; the writer came between look and claim."""
    home.admit()
    claim = home.layout.claims("s") / "late.json"
    claim.write_bytes(b"1\n")
    with claim.open("ab") as writer:
        taken = home.admit()
        assert taken.admitted == ()
        assert "late.json: a process has it open for writing" in taken.waiting
        writer.write(b"2\n")
    os.utime(home.entrada / "late.json", ns=(OLD_NS, OLD_NS))
    assert [(e.original_name, e.records) for e in home.admit().admitted] == [("late.json", 2)]


def test_a_file_with_another_name_elsewhere_is_copied_so_a_later_change_there_does_not_reach_it(
    home: Home, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"1\n")
    os.utime(outside, ns=(OLD_NS, OLD_NS))
    (home.entrada / "x").hardlink_to(outside)
    [entry] = home.admit().admitted
    outside.write_bytes(b"changed\n")
    assert (home.visible(), entry.original_mtime_ns) == ({entry.name: b"1\n"}, OLD_NS)
    assert outside.stat().st_nlink == 1


def test_a_lost_ledger_is_rebuilt_from_names_also_of_archived_files(home: Home) -> None:
    home.deliver("a.json", b"1\n2\n")
    home.deliver("b.json", b"3\n")
    first, second = home.admit().admitted
    archived = home.layout.archivo("s") / "2027-01-15"
    archived.mkdir(parents=True)
    (home.layout.en_proceso("s") / first.name).rename(archived / first.name)
    home.layout.ledger("s").unlink()
    home.deliver("again.json", b"1\n2\n")
    home.deliver("c.json", b"4\n")
    taken = home.admit()
    assert [(e.sequence, e.original_name) for e in taken.admitted] == [(3, "c.json")]
    assert (
        taken.refused[0].reason
        == f"duplicate: the content of a.json of 2027-01-15T08:00:00Z, admitted as {first.name}"
    )
    assert [(r[0], r[1], r[4]) for r in home.rows()] == [
        (first.name, 2, 1),
        (second.name, 1, 1),
        (taken.admitted[0].name, 1, 1),
    ]


def test_rows_lost_from_the_end_of_the_ledger_come_back(home: Home) -> None:
    home.deliver("a", b"1\n")
    home.admit()
    old = home.layout.ledger("s").read_bytes()
    home.deliver("b", b"2\n")
    home.admit()
    home.layout.ledger("s").write_bytes(old)
    home.deliver("b again", b"2\n")
    assert home.admit().refused[0].reason.startswith("duplicate: the content of b of ")
    assert len(home.rows()) == 2


@pytest.mark.parametrize(
    "damage",
    [
        b"not a database, but long enough to be read as a header of one" * 20,
        b"SQLite format 3\0" + b"\xff" * 4000,
    ],
)
def test_a_damaged_ledger_is_named_and_nothing_moves(home: Home, damage: bytes) -> None:
    home.deliver("a", b"1\n")
    home.admit()
    home.layout.ledger("s").write_bytes(damage)
    home.deliver("b", b"2\n")
    for _ in range(2):
        with pytest.raises(LedgerDamaged):
            home.admit()
    with pytest.raises(LedgerDamaged):
        ledger.lookup(home.layout.ledger("s"), ["x"])
    assert (home.entrada / "b").exists()
    assert home.layout.ledger("s").read_bytes() == damage


def test_a_file_whose_content_is_not_what_its_name_says_stops_the_rebuilding(home: Home) -> None:
    home.deliver("a", b"1\n")
    [entry] = home.admit().admitted
    (home.layout.en_proceso("s") / entry.name).write_bytes(b"2\n")
    home.layout.ledger("s").unlink()
    for _ in range(2):
        with pytest.raises(LedgerDamaged, match="not what its name says"):
            home.admit()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_stranger_in_en_proceso_is_refused_by_name(home: Home, kind: str, tmp_path: Path) -> None:
    home.admit()
    path = home.layout.en_proceso("s") / "stranger.json"
    {
        "file": lambda: path.write_bytes(b"1\n"),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(tmp_path),
    }[kind]()
    with pytest.raises(
        DataError, match=r"stranger\.json lies in en_proceso, but intake did not put it there"
    ):
        home.admit()
    assert waiting_files(home.layout, home.stream) == ()


def test_a_folder_that_is_a_link_is_refused(home: Home, tmp_path: Path) -> None:
    home.entrada.rmdir()
    home.entrada.symlink_to(tmp_path)
    with pytest.raises(UnsafePath):
        home.admit()


def test_a_kafka_stream_takes_no_files_and_makes_no_folders(home: Home) -> None:
    home.stream = Stream("s", Topic("t"), Topic("u", key="k"))
    taken = home.admit()
    assert (taken.admitted, taken.refused, taken.waiting, waiting_files(home.layout, home.stream)) == (
        (),
        (),
        (),
        (),
    )
    assert not home.layout.en_proceso("s").exists()


FULL_DISK = """
import sys
from pathlib import Path
from jobs.contract.errors import DiskFull
from tests.include.intake.home import Home

home, errors = Home(Path(sys.argv[1]) / "home"), 0
for number in range(300):
    home.deliver(str(number), b"%d\\n" % number)
filler = Path(sys.argv[1]) / "filler"
for free in range(0, 120_000, 8_000):
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            file.truncate(max(0, file.tell() - free))
    try:
        home.admit()
    except DiskFull:
        errors += 1
    assert sum(home.everywhere().values()) == 300 == len(home.everywhere())
filler.unlink()
home.admit()
assert len(home.visible()) == len(home.rows()) == 300 and {row[4] for row in home.rows()} == {1}
print(errors)
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="a small disk of its own needs root and unshare",
)
def test_a_full_disk_is_one_clear_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """A real small disk (tmpfs in its own mount namespace), full except for 0, 8, 16… kB. Each run ends, or
    raises DiskFull and loses nothing."""
    call = 'mount -t tmpfs -o size=2m none "$1" || exit 77; exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", call, "sh", str(tmp_path), sys.executable, FULL_DISK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    if done.returncode == 77 or done.stderr.startswith(
        "unshare: "
    ):  # no namespaces here; or a chroot, which is no mount point
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another user")
def test_another_users_files_are_taken_or_said_and_never_block(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """As user nobody: one file of root that it may not read, one that it may not own, and one of its own.

    Entrada is open to all, like a drop folder.
    """
    base = Path(tempfile.mkdtemp(dir="/tmp", prefix="caudal-h5-"))
    try:
        home = Home(base / "home")
        for name in ("secret", "readable", "own"):
            home.deliver(name, name.encode())
        (home.entrada / "secret").chmod(0o600)
        for path in (base, *base.rglob("*")):
            if path.name not in ("secret", "readable"):
                os.chown(path, 65534, 65534)
        pid = os.fork()
        if pid == 0:
            os.setgid(65534)
            os.setuid(65534)
            try:
                taken = home.admit()
                os._exit(
                    0
                    if taken.waiting == ("secret: cannot be read: permission denied",)
                    and len(taken.admitted) == 2
                    else 3
                )
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert sorted(home.visible().values()) == [b"own", b"readable"]
        assert (home.entrada / "secret").exists()
    finally:
        shutil.rmtree(base)


@pytest.mark.slow
def test_ten_thousand_small_files_take_seconds(home: Home) -> None:
    for number in range(10_000):
        home.deliver(f"{number}.json", b'{"n":%d}\n' % number)
    start = time.monotonic()
    taken = home.admit()
    took_s = time.monotonic() - start
    assert (len(taken.admitted), len(home.visible()), len({e.mtime_ms for e in taken.admitted})) == (
        10_000,
        10_000,
        10_000,
    )
    assert took_s < 30  # 2 s on an idle machine with 2 cores
