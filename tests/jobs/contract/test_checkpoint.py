"""The checkpoint reader on checkpoints that Spark wrote (data/README.md), on damaged copies of them, and on
generated ones."""

from __future__ import annotations

import json
import shutil
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.contract.commit import checkpoint
from jobs.contract.errors import CheckpointDamaged

DATA = Path(__file__).parent / "data"
ODD = {1: "con espacio.json", 2: "cien%20por%.json", 3: "año ñandú.json", 4: "a+b&c=d;e#f.json"}
NAMES = [f"{i:04d}-{ODD.get(i, 'x.json')}" for i in range(12)]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    """A private copy of one of Spark's checkpoints, to be damaged."""
    return lambda name: Path(shutil.copytree(DATA / name, tmp_path / name))


def test_a_checkpoint_is_read_as_spark_left_it() -> None:
    state = checkpoint.read(DATA / "files")
    assert state.offsets == state.commits == tuple(range(12))
    assert (state.newest_offset, state.newest_commit) == (11, 11)
    assert state.query_id is not None
    assert len(state.query_id) == 36


def test_old_batches_that_spark_removed_are_not_retained() -> None:
    state = checkpoint.read(DATA / "retained")
    assert state.offsets == state.commits == (7, 8, 9, 10, 11)


def test_nothing_there_reads_as_an_empty_checkpoint(tmp_path: Path) -> None:
    state = checkpoint.read(tmp_path / "none")
    assert (state.query_id, state.offsets, state.commits, state.newest_offset, state.newest_commit) == (
        None,
        (),
        (),
        -1,
        -1,
    )
    assert list(checkpoint.all_entries(tmp_path / "none")) == []
    assert checkpoint.log_files(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["files", "retained"])
def test_every_file_ever_seen_is_found_with_its_decoded_name(name: str) -> None:
    entries = list(checkpoint.all_entries(DATA / name))
    assert [e.name for e in entries] == NAMES
    assert [e.log_offset for e in entries] == list(range(12))
    assert [e.timestamp_ms for e in entries] == [1_700_000_000_000 + 1000 * i for i in range(12)]
    assert {Path(e.path).parent for e in entries} == {Path("/tmp/caudal/in")}


def test_log_files_are_the_newest_compact_one_and_all_later_ones() -> None:
    assert [p.name for p in checkpoint.log_files(DATA / "files")] == ["9.compact", "10", "11"]
    assert [p.name for p in checkpoint.log_files(DATA / "retained")] == ["11.compact"]


@pytest.mark.parametrize("name", ["files", "retained"])
@pytest.mark.parametrize("after", range(-1, 12))
def test_planned_files_of_any_range_are_those_of_its_log_offsets(name: str, after: int) -> None:
    """Also where the range begins, ends or passes at a compact file, and where Spark has removed the files a
    compact one covers."""
    for through in range(after, 12):
        entries = checkpoint.planned_entries(DATA / name, after, through)
        assert [e.name for e in entries] == NAMES[after + 1 : through + 1]


def test_a_compact_file_is_read_once_for_a_whole_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = checkpoint._entries
    monkeypatch.setattr(checkpoint, "_entries", lambda file: opened.append(file.name) or real(file))
    checkpoint.planned_entries(DATA / "retained", -1, 11)
    assert opened == ["5.compact", "6", "7", "8.compact", "9", "10", "11.compact"]


def test_offsets_tell_position_watermark_and_time() -> None:
    offset = checkpoint.read_offset(DATA / "files", 11)
    assert (offset.batch, offset.position, offset.sources, offset.watermark_ms) == (
        11,
        {"logOffset": 11},
        {"0": {"logOffset": 11}},
        0,
    )
    assert offset.timestamp_ms > 1_700_000_000_000


def test_version_2_offsets_name_their_source() -> None:
    assert checkpoint.read_offset(DATA / "v2", 1).sources == {"0": {"logOffset": 1}}
    assert checkpoint.read_offset(DATA / "kafka_v2", 0).position == {"facturas": {"0": 3, "1": 4, "2": 4}}


def test_a_source_without_data_stands_as_none() -> None:
    assert checkpoint.read_offset(DATA / "two", 0).sources == {"0": {"logOffset": 0}, "1": None}


def test_kafka_offsets_are_by_topic_and_partition() -> None:
    assert [checkpoint.read_offset(DATA / "kafka", b).position for b in range(3)] == [
        {"facturas": {"0": 3, "1": 2}},
        {"facturas": {"0": 3, "1": 4}},
        {"facturas": {"0": 3, "1": 4, "2": 4}},
    ]


def test_kafkas_first_position_stands_behind_a_zero_byte() -> None:
    assert (DATA / "kafka/sources/0/0").read_bytes() == b'\x00v1\n{"facturas":{"0":0,"1":0}}'
    assert checkpoint.initial_kafka_position(DATA / "kafka") == {"facturas": {"0": 0, "1": 0}}
    assert checkpoint.initial_kafka_position(DATA / "kafka_v2") == {"facturas": {"0": 0, "1": 0, "2": 2}}


def test_crc_hidden_temporary_and_foreign_names_are_passed_over(copy: Callable[[str], Path]) -> None:
    path = copy("v2")
    assert (path / "offsets/.1.crc").is_file()
    before = checkpoint.read(path), list(checkpoint.all_entries(path))
    for folder in ("offsets", "commits", "sources/0"):
        for name in (".7.0a1b.tmp", "7.tmp", "_7", "7.compact.bak", "٧", "7 ", "-7", ".7.crc"):
            (path / folder / name).write_text("x")
    assert (checkpoint.read(path), list(checkpoint.all_entries(path))) == before


# --- damage: each kind is said with the file's name ---

TORN = {
    "empty": b"",
    "version alone": b"v1",
    "version line alone": b"v1\n",
    "cut inside": b'v1\n{"batchWaterm',
    "cut behind the metadata": b'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1}',
    "cut behind the metadata's line": b'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1}\n',
    "cut inside the position": b'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1}\n{"logOff',
    "not an object": b"v1\n[]\n[]",
    "position no object": b'v1\n{"batchWatermarkMs":0}\n7',
    "unknown version": b'v9\n{"batchWatermarkMs":0}\n{"logOffset":1}',
    "watermark no number": b'v1\n{"batchWatermarkMs":null}\n{"logOffset":1}',
    "zeros, as some file systems leave them": b"\0" * 200,
    "not UTF-8": b'v1\n{"a":"\xff"}\n{"logOffset":1}',
}


@pytest.mark.parametrize("kind", TORN)
def test_a_torn_offset_is_named(kind: str, copy: Callable[[str], Path]) -> None:
    path = copy("files")
    file = path / "offsets/11"
    file.write_bytes(TORN[kind])
    for read in (lambda: checkpoint.read_offset(path, 11), lambda: checkpoint.read(path)):
        with pytest.raises(CheckpointDamaged) as caught:
            read()
        assert caught.value.where == str(file)
    assert "remove 11 and .11.crc" in caught.value.way_cli


@pytest.mark.parametrize("content", [b"", b"v1", b"v1\n", b'v1\n{"nextBatch', b"v1\n[]", b"\0" * 20])
def test_a_torn_newest_commit_is_named_with_the_way_out(content: bytes, copy: Callable[[str], Path]) -> None:
    path = copy("files")
    (path / "commits/11").write_bytes(content)
    with pytest.raises(CheckpointDamaged, match="the newest of commits") as caught:
        checkpoint.read(path)
    assert caught.value.where == str(path / "commits/11")
    assert "remove 11 and .11.crc" in caught.value.way_cli


def test_a_torn_older_commit_is_no_fault_since_spark_does_not_read_it(copy: Callable[[str], Path]) -> None:
    path = copy("files")
    (path / "commits/5").write_bytes(b"")
    assert checkpoint.read(path).commits == tuple(range(12))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"id":""}', b'{"id":7}', b"{}", b"\xff\xfe", b"\0\0"]
)
def test_torn_metadata_is_named(content: bytes, copy: Callable[[str], Path]) -> None:
    path = copy("files")
    (path / "metadata").write_bytes(content)
    with pytest.raises(CheckpointDamaged) as caught:
        checkpoint.read(path)
    assert caught.value.where == str(path / "metadata")


ENTRY = b'{"path":"file:///d/x.json","timestamp":1,"batchId":11}'
TORN_LOG = {
    "empty": b"",
    "version alone": b"v1\n",
    "unknown version": b"v9\n" + ENTRY,
    "cut inside a line": b"v1\n" + ENTRY + b'\n{"path":"file:///d/y',
    "no path": b'v1\n{"timestamp":1,"batchId":11}',
    "path null": b'v1\n{"path":null,"timestamp":1,"batchId":11}',
    "path a number": b'v1\n{"path":7,"timestamp":1,"batchId":11}',
    "path no URL": b'v1\n{"path":"file://[","timestamp":1,"batchId":11}',
    "time no number": b'v1\n{"path":"file:///d/x","timestamp":"1","batchId":11}',
    "offset missing": b'v1\n{"path":"file:///d/x","timestamp":1}',
    "another offset": b'v1\n{"path":"file:///d/x","timestamp":1,"batchId":10}',
    "a list": b"v1\n[]",
    "not UTF-8": b'v1\n{"path":"\xff"}',
}


@pytest.mark.parametrize("kind", TORN_LOG)
def test_a_torn_source_log_is_named(kind: str, copy: Callable[[str], Path]) -> None:
    path = copy("files")
    file = path / "sources/0/11"
    file.write_bytes(TORN_LOG[kind])
    with pytest.raises(CheckpointDamaged) as caught:
        checkpoint.planned_entries(path, 8, 11)
    assert caught.value.where == str(file)


def test_a_compact_file_that_lost_an_offset_of_the_range_is_named(copy: Callable[[str], Path]) -> None:
    path = copy("retained")
    file = path / "sources/0/5.compact"
    file.write_text(
        "".join(line for line in file.read_text().splitlines(keepends=True) if '"batchId":3' not in line)
    )
    with pytest.raises(CheckpointDamaged, match="no file of log offset 3"):
        checkpoint.planned_entries(path, 2, 4)
    assert [e.log_offset for e in checkpoint.planned_entries(path, 3, 7)] == [4, 5, 6, 7]


@pytest.mark.parametrize("lost", ["sources/0/11", "sources/0", "offsets/11"])
def test_a_missing_part_is_named(lost: str, copy: Callable[[str], Path]) -> None:
    path = copy("files")
    (shutil.rmtree if (path / lost).is_dir() else Path.unlink)(path / lost)  # the test's own copy
    with pytest.raises(CheckpointDamaged) as caught:
        checkpoint.planned_entries(path, 8, int(checkpoint.read_offset(path, 11).position["logOffset"]))
    assert caught.value.where.startswith(str(path / lost).rpartition("/")[0])


@pytest.mark.parametrize("content", [b"", b"\0", b"\0v1", b"\0v1\n{", b"v1\n[]", b"\0\0v1\n{}"])
def test_a_torn_first_kafka_position_is_named(content: bytes, copy: Callable[[str], Path]) -> None:
    path = copy("kafka")
    (path / "sources/0/0").write_bytes(content)
    with pytest.raises(CheckpointDamaged) as caught:
        checkpoint.initial_kafka_position(path)
    assert caught.value.where == str(path / "sources/0/0")


# --- generated checkpoints, written here as Spark writes them ---

FILE_NAMES = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0"), min_size=1, max_size=30
).filter(lambda n: n not in (".", ".."))
LOGS = st.lists(st.lists(FILE_NAMES, min_size=1, max_size=3, unique=True), min_size=1, max_size=14)


def write_log(folder: Path, batches: list[list[str]], every: int, keep_all: bool) -> None:
    """`every`-th file compact; `keep_all=False` removes what the newest compact one covers, as Spark does in
    time."""
    folder.mkdir(parents=True)
    lines: list[str] = []
    for number, names in enumerate(batches):
        new = [
            json.dumps(
                {"path": "file:///d/" + quote(n), "timestamp": number, "batchId": number}, ensure_ascii=False
            )
            for n in names
        ]
        lines += new
        compact = (number + 1) % every == 0
        if compact and not keep_all:
            for old in folder.iterdir():
                old.unlink()
        (folder / (f"{number}.compact" if compact else str(number))).write_text(
            "\n".join(["v1", *(lines if compact else new)])
        )


@settings(max_examples=60, deadline=None)
@given(batches=LOGS, every=st.integers(2, 6), keep_all=st.booleans())
def test_whatever_names_and_compaction_the_log_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[str]], every: int, keep_all: bool
) -> None:
    path = tmp_path_factory.mktemp("log")
    write_log(path / "sources/0", batches, every, keep_all)
    expected = [(n, i) for i, names in enumerate(batches) for n in names]
    assert [(e.name, e.log_offset) for e in checkpoint.all_entries(path)] == expected
    for after in range(-1, len(batches) - 1):
        found = checkpoint.planned_entries(path, after, len(batches) - 1)
        assert [(e.name, e.log_offset) for e in found] == [e for e in expected if e[1] > after]


PATHS = st.text(st.sampled_from('aZ09/-_.~ %20C3B1ñ+&=;#?"\\\x01\x7f{}:,'), min_size=1, max_size=40).map(
    "/".__add__
)
NUMBERS = st.sampled_from(["0", "7", "1795464907250", "-1", "05", "1.5", "null", '"1"', "9" * 18, "9" * 30])


@settings(max_examples=300, deadline=None)
@given(
    path=PATHS,
    timestamp=NUMBERS,
    offset=NUMBERS,
    scheme=st.sampled_from(["file://", "file:", "", "s3a://bucket"]),
)
def test_the_quick_way_reads_a_line_as_the_json_parser_does(
    path: str, timestamp: str, offset: str, scheme: str
) -> None:
    line = f'{{"path":"{scheme}{path}","timestamp":{timestamp},"batchId":{offset}}}'
    results = []
    for way in (checkpoint._entry, checkpoint._other_entry):
        try:
            results.append(way(line, Path("log")))
        except CheckpointDamaged as error:
            results.append(str(error))
    assert results[0] == results[1]


def big_log(path: Path, count: int) -> Path:
    folder = path / "sources/0"
    folder.mkdir(parents=True)
    entry = '{{"path":"file:///home/d/{0:08d}-con%20espacio.json","timestamp":{0},"batchId":{0}}}'
    with (folder / f"{count - 1}.compact").open("w") as target:
        target.write("v1")
        target.writelines("\n" + entry.format(i) for i in range(count))
    return path


def test_a_compact_file_of_200_000_entries_is_read(tmp_path: Path) -> None:
    """1,000,000 take 1.7 s on two busy cores; the limit here leaves room for a machine ten times as slow."""
    path = big_log(tmp_path, 200_000)
    start = time.perf_counter()
    assert sum(1 for _ in checkpoint.all_entries(path)) == 200_000
    all_s = time.perf_counter() - start
    assert len(checkpoint.planned_entries(path, 99_999, 150_000)) == 50_001
    print(
        f"200,000 entries in {all_s:.2f} s; a range of 50,001 in {time.perf_counter() - start - all_s:.2f} s"
    )
    assert all_s < 5


def test_reading_a_log_takes_no_more_memory_for_more_entries(tmp_path: Path) -> None:
    peaks = []
    for count in (1_000, 50_000):
        path = big_log(tmp_path / str(count), count)
        tracemalloc.start()
        assert max(entry.log_offset for entry in checkpoint.all_entries(path)) == count - 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20_000  # bytes; the log itself has 4 MB


@pytest.mark.parametrize("name", ["12", "12.compact"])
def test_a_torn_log_file_that_no_batch_was_planned_from_may_go_and_its_error_says_so(
    name: str, copy: Callable[[str], Path]
) -> None:
    path = copy("files")
    torn = path / "sources/0" / name
    torn.write_bytes(b"")
    with pytest.raises(CheckpointDamaged) as caught:
        list(checkpoint.all_entries(path))
    assert caught.value.where == str(torn)
    assert f"remove {name} and .{name}.crc there" in caught.value.way_cli
    torn.unlink()
    assert [entry.name for entry in checkpoint.all_entries(path)] == NAMES


def test_a_torn_log_file_that_a_batch_needs_may_not_go(copy: Callable[[str], Path]) -> None:
    path = copy("files")
    (path / "sources/0/11").write_bytes(b"v1\n")
    (path / "sources/0/10").write_bytes(b"")
    with pytest.raises(CheckpointDamaged) as caught:
        list(checkpoint.all_entries(path))
    assert caught.value.way_cli == CheckpointDamaged.cli
