"""Every kind of unusual file at once in one folder, with good files between them; and each policy on equal
content."""

import bz2
import gzip
import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from include.intake import Intake
from jobs.contract.disk import ledger
from jobs.contract.run.spec import RunSpec, new_run_id
from jobs.contract.stream import Files, Limits, Stream
from tests.include.intake.home import NOW, OLD_NS, Home

GOOD = b'{"id":%d,"text":"\xc3\xb1"}\n'
YEAR_2099_NS = 4_070_908_800 * 10**9


def good(number: int) -> bytes:
    return GOOD % number * 3


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(
        tmp_path / "home",
        Stream("s", Files(settle_s=2.0), Files(), limits=Limits(line_bytes=100_000, file_bytes=3_000_000)),
    )
    made.entrada.mkdir(parents=True)
    return made


# name -> content: taken, whatever its name, age or form
TAKEN: dict[str | bytes, bytes] = {
    "plain.json": good(1),
    "[a-z]{x,y}*?.json": good(2),
    "c:o:l:o:n:2026-11-24T10:00:00.json": good(3),
    "new\nline.json": good(4),
    b"\xff\xfe.json": good(5),
    "-rf": good(6),
    "packed.json.gz": gzip.compress(good(7)),
    "PACKED.JSON.BZ2": bz2.compress(good(8)),
    "crlf.json": b"\xef\xbb\xbf\r\n" + good(9).replace(b"\n", b"\r\n"),
    "no last line end.json": good(10)[:-1],
    "bad lines.json": b"{\n" + good(11) + b'{"id":\n\0\0\0\n\xff\n',
    "half a record last.json": good(12) + b'{"id":1',
}
# name -> (content, code)
REFUSED: dict[str, tuple[bytes, str]] = {
    "same as plain.json": (good(1), "duplicate"),
    "empty.json": (b"", "empty"),
    "blank.json": (b" \n\r\n\t\n", "blank"),
    "packed nothing.json.gz": (gzip.compress(b""), "blank"),
    "cut.json.gz": (gzip.compress(os.urandom(5000))[:-9], "truncated"),
    "damaged.json.gz": (gzip.compress(good(20))[:-8] + b"\0" * 8, "damaged"),
    "packed by another name.json": (gzip.compress(good(21)), "packed"),
    "zip.json": (b"PK\x03\x04" + os.urandom(500), "packed"),
    "x.json.zst": (b"\x28\xb5\x2f\xfd" + os.urandom(500), "packed"),
    "parquet.json": (b"PAR1\x15\x04" + os.urandom(500) + b"PAR1", "binary"),
    "random.json": (os.urandom(20_000), "binary"),
    "utf-16.json": (good(22).decode().encode("utf-16"), "encoding"),
    "utf-32.json": (good(23).decode().encode("utf-32"), "encoding"),
    "nul.json": (b"\0" * 4096, "nul-filled"),
    "old mac.json": (good(24).replace(b"\n", b"\r"), "cr-only"),
    "document.json": (
        json.dumps({"id": 1, "items": [{"a": 1}, {"a": 2}]}, indent=2).encode(),
        "pretty-printed",
    ),
    "array.json": (json.dumps([{"id": n} for n in range(9)]).encode(), "json-array"),
    "indented array.json": (json.dumps([{"id": n} for n in range(9)], indent=1).encode(), "json-array"),
    "error page.json": (b"<!doctype html>\n<html>\n</html>\n", "markup"),
    "long line.json": (good(25) + b'{"id":"' + b"x" * 100_000 + b'"}\n', "line-too-long"),
    "too large.json": (good(26) * 60_000, "too-large"),
    "unpacks too large.json.gz": (gzip.compress(good(27) * 60_000), "too-large"),
}


def fill(home: Home, outside: Path) -> None:
    """Good files and tricks, oldest and newest dates among them; and things that are no files."""
    for number, (name, data) in enumerate(TAKEN.items()):
        home.deliver(name, data, (OLD_NS + number, -(10**18), YEAR_2099_NS)[number % 3])
    for name, (data, _) in REFUSED.items():
        home.deliver(name, data, OLD_NS + 100)
    outside.write_bytes(good(90))
    os.utime(outside, ns=(OLD_NS, OLD_NS))
    (home.entrada / "link.json").symlink_to(outside)
    (home.entrada / "dangling.json").symlink_to("nowhere")
    (home.entrada / "hard link.json").hardlink_to(outside)
    (home.entrada / "folder.json").mkdir()
    (home.entrada / "folder.json" / "inside.json").write_bytes(good(91))
    os.mkfifo(home.entrada / "fifo.json")
    with closing(socket.socket(socket.AF_UNIX)) as door:
        door.bind(str(home.entrada / "s"))


def check(home: Home, taken: Intake) -> None:
    names = {
        os.fsencode(n).decode("utf-8", "backslashreplace")
        if isinstance(n, str)
        else n.decode("utf-8", "backslashreplace")
        for n in TAKEN
    }
    assert {e.original_name for e in taken.admitted} == names | {"hard link.json"}
    assert sorted(home.visible().values()) == sorted([*TAKEN.values(), good(90)])
    assert {r.original_name: r.code for r in taken.refused} == {
        name: code for name, (_, code) in REFUSED.items()
    }
    assert sorted(home.refused().values()) == sorted(data for data, _ in REFUSED.values())


@pytest.mark.parametrize("with_writer", [False, True])
def test_a_folder_of_all_tricks_at_once_is_taken_or_refused_one_by_one_and_a_second_run_finds_nothing_new(
    home: Home, tmp_path: Path, with_writer: bool
) -> None:
    fill(home, tmp_path / "outside")
    stays = {
        "dangling.json: a link; links are never followed",
        "fifo.json: not a regular file",
        "link.json: a link; links are never followed",
        "folder.json: a folder; only files directly in entrada are taken",
        "s: not a regular file",
    }
    if with_writer:
        with home.deliver("half.json", GOOD % 99).open("ab"):
            taken = home.admit()
        stays.add("half.json: a process has it open for writing")
    else:
        taken = home.admit()
    check(home, taken)
    assert set(taken.waiting) == stays
    again = home.admit()
    assert [e.original_name for e in again.admitted] == (["half.json"] if with_writer else [])
    assert (again.refused, len(again.waiting), (tmp_path / "outside").read_bytes()) == ((), 5, good(90))
    mtimes = [row[3] for row in home.rows()]
    assert mtimes == sorted(set(mtimes))
    assert mtimes[0] == int(NOW * 1000) + 2000  # whatever the files' own dates


def test_every_refusal_has_its_reason_beside_it_with_code_and_way_out(home: Home, tmp_path: Path) -> None:
    fill(home, tmp_path / "outside")
    for refusal in home.admit().refused:
        beside = json.loads((home.layout.refused_files("s") / f"{refusal.name}.reason.json").read_bytes())
        assert (beside["code"], beside["reason"], beside["original_name"]) == (
            refusal.code,
            refusal.reason,
            refusal.original_name,
        )
        assert beside["reason"].startswith(f"{refusal.code}: ")
        assert beside["size_bytes"] == len(REFUSED[refusal.original_name][0])


@pytest.mark.parametrize("seconds", [-(10**10), -1, 0, 4_070_908_800, 9_300_000_000, 15_000_000_000])
def test_no_date_of_a_file_hides_it_or_stops_the_others(home: Home, seconds: int) -> None:
    """From the year 1653 to 2445: beyond 2262 nanoseconds do not fit into the ledger."""
    path = home.deliver("dated.json", good(1))
    try:
        os.utime(path, (seconds, seconds))
    except OverflowError:
        pytest.skip("this system has no such date")
    home.deliver("plain.json", good(2))
    assert sorted(e.original_name for e in home.admit().admitted) == ["dated.json", "plain.json"]
    assert sorted(home.visible().values()) == [good(1), good(2)]
    assert home.admit() == Intake()


def test_the_same_name_with_new_content_is_a_new_file(home: Home) -> None:
    home.deliver("daily.json", good(1))
    home.admit()
    home.deliver("daily.json", good(2))
    taken = home.admit()
    assert ([e.sequence for e in taken.admitted], taken.refused) == ([2], ())
    assert sorted(home.visible().values()) == [good(1), good(2)]


def test_a_refused_file_that_a_person_moves_back_is_judged_anew_under_its_own_name(home: Home) -> None:
    """With its reason file, as `mv` of both brings it: refused again by the same limit, admitted under a
    higher one."""
    text = good(1) + b'{"id":"' + b"x" * 100_000 + b'"}\n'
    home.deliver("long.json", text)
    [refused] = home.admit().refused
    for path in list(home.layout.refused_files("s").iterdir()):
        path.rename(home.entrada / path.name)
    again = home.admit()
    assert [(r.original_name, r.name, r.code) for r in again.refused] == [
        ("long.json", refused.name, "line-too-long")
    ]
    assert again.waiting == (f"{refused.name}.reason.json: why a file was refused; no data",)
    (home.layout.refused_files("s") / refused.name).rename(home.entrada / refused.name)
    home.stream = Stream("s", Files(settle_s=2.0), Files())
    [entry] = home.admit().admitted
    assert (entry.original_name, entry.name) == (
        "long.json",
        f"000000000001-{entry.content_hash[:16]}-long.json",
    )
    assert home.visible() == {entry.name: text}


def taking(home: Home) -> Home:
    home.stream = Stream("s", Files(settle_s=2.0, duplicates="take"), Files())
    return home


def test_a_stream_that_takes_duplicates_admits_each_delivery_also_with_an_older_ledger_and_after_its_loss(
    home: Home,
) -> None:
    home.deliver("a.json", good(1))
    home.admit()  # the ledger is made by a stream that refuses
    taking(home)
    home.deliver("a.json", good(1))
    home.deliver("b.json", good(1))
    taken = home.admit()
    assert ([(e.sequence, e.original_name) for e in taken.admitted], taken.refused) == (
        [(2, "a.json"), (3, "b.json")],
        (),
    )
    assert (list(home.visible().values()), len(set(home.visible()))) == ([good(1)] * 3, 3)
    before = home.rows()
    home.layout.ledger("s").unlink()
    home.admit()
    assert [(name, records, finished) for name, records, _, _, finished in home.rows()] == [
        (r[0], r[1], r[4]) for r in before
    ]
    home.stream = Stream("s", Files(settle_s=2.0), Files())
    home.deliver("c.json", good(1))
    assert [r.code for r in home.admit().refused] == ["duplicate"]
    home.layout.ledger("s").unlink()
    assert (home.admit(), len(home.rows())) == (Intake(), 3)


KILLED = """
import os, signal, sys
from pathlib import Path
from jobs.contract.disk import failpoints
from tests.include.intake.home import Home
from tests.include.intake.test_tricks import taking
home = taking(Home(Path(sys.argv[1])))
failpoints.hit = lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == sys.argv[2] else None
home.admit()
"""


@pytest.mark.parametrize("moment", ["claim", "ledger", "move", "admitted"])
def test_equal_files_of_a_killed_run_are_each_taken_once_with_their_own_dates(
    home: Home, moment: str
) -> None:
    taking(home)
    for number in range(3):
        home.deliver(f"{number}.json", good(1), OLD_NS + number)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(home.path), moment], check=False, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == -9
    home.admit()
    assert list(home.visible().values()) == [good(1)] * 3
    assert sorted(row[2] for row in home.rows()) == [OLD_NS, OLD_NS + 1, OLD_NS + 2]
    with closing(sqlite3.connect(home.layout.ledger("s"))) as db:
        assert sorted(n for (n,) in db.execute("SELECT original_name FROM entry WHERE finished = 1")) == [
            "0.json",
            "1.json",
            "2.json",
        ]


def test_the_policy_and_the_limits_reach_the_run_and_an_older_spec_reads_with_the_usual_ones() -> None:
    from datetime import UTC, datetime

    made = Stream(
        "s", Files(duplicates="take"), Files(), limits=Limits(file_bytes=5, line_bytes=6, unpack_ratio=7)
    )
    spec = RunSpec(
        made, new_run_id(datetime(2026, 11, 24, tzinfo=UTC)), "", "2026-11-24T00:00:00Z", "/h", 1, "", -1
    )
    assert RunSpec.from_json(spec.to_json()).stream == made
    raw = json.loads(spec.to_json())
    del raw["stream"]["source"]["duplicates"], raw["stream"]["limits"]["file_bytes"]
    older = RunSpec.from_json(json.dumps(raw).encode()).stream
    assert (older.source, older.limits) == (Files(), Limits(line_bytes=6, unpack_ratio=7))


def test_ledger_rows_outlive_the_step_to_repeats(home: Home) -> None:
    home.deliver("a.json", good(1))
    [entry] = home.admit().admitted
    taking(home).admit()
    with ledger.writer(home.layout.ledger("s")) as db, ledger.transaction(db):
        ledger.allow_repeats(db)
        ledger.allow_repeats(db)
    assert ledger.lookup(home.layout.ledger("s"), [entry.name]) == {entry.name: entry}
