"""Plans of batches, read from checkpoints that Spark wrote (data/README.md)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jobs.contract.commit import batch_plan, checkpoint, loaded
from jobs.contract.commit.manifest import digest
from jobs.contract.errors import CheckpointDamaged

DATA = Path(__file__).parent / "data"


def plan(name: str, batch: int) -> batch_plan.BatchPlan:
    return batch_plan.read(DATA / name, batch, "q")


def test_a_batch_of_files_names_them_and_its_positions() -> None:
    first, second = plan("files", 0), plan("files", 1)
    assert (first.start, first.end, [f.name for f in first.files]) == ({}, {"logOffset": 0}, ["0000-x.json"])
    assert (second.start, second.end, [f.name for f in second.files]) == (
        {"logOffset": 0},
        {"logOffset": 1},
        ["0001-con espacio.json"],
    )
    assert second.identity.start == '{"logOffset":0}'
    assert second.input_digest == digest(["0001-con espacio.json"])


def test_every_batch_that_is_retained_has_a_plan_and_no_other() -> None:
    assert list(loaded.load(DATA / "files").plans) == list(range(12))
    plans = loaded.load(DATA / "retained").plans
    assert [f.name for p in plans.values() for f in p.files] == [
        "0008-x.json",
        "0009-x.json",
        "0010-x.json",
        "0011-x.json",
    ]
    assert list(plans) == [8, 9, 10, 11], "batch 7's start went with offset 6"


def test_a_checkpoint_without_metadata_tells_no_plan(tmp_path: Path) -> None:
    path = Path(shutil.copytree(DATA / "v2", tmp_path / "v2"))
    (path / "metadata").unlink()
    assert loaded.load(path).plans == {}


def test_plans_are_the_same_whether_the_log_is_compacted_or_not(tmp_path: Path) -> None:
    """The digest must not depend on when somebody asks: Spark removes log files that a compact one covers."""
    path = Path(shutil.copytree(DATA / "files", tmp_path / "files"))
    before = {b: p.identity for b, p in loaded.load(path).plans.items()}
    for covered in range(9):
        (path / "sources/0" / str(covered)).unlink()
    assert {b: p.identity for b, p in loaded.load(path).plans.items()} == before


def test_ranges_of_the_first_kafka_batch_begin_where_spark_first_stood() -> None:
    first = plan("kafka", 0)
    assert first.start == {"facturas": {"0": 0, "1": 0}}
    assert first.ranges() == {("facturas", "0"): (0, 3), ("facturas", "1"): (0, 2)}
    assert plan("kafka_v2", 0).ranges()["facturas", "2"] == (2, 4), "the records before 2 were gone already"


def test_ranges_go_on_from_the_batch_before() -> None:
    assert plan("kafka", 1).ranges() == {("facturas", "0"): (3, 3), ("facturas", "1"): (2, 4)}


def test_a_partition_that_was_added_begins_at_0() -> None:
    """As Spark reads it; where 0 is gone from the topic it stops instead (tried: `Added partition facturas-2
    starts from 2 instead of 0`)."""
    assert plan("kafka", 2).ranges() == {
        ("facturas", "0"): (3, 3),
        ("facturas", "1"): (4, 4),
        ("facturas", "2"): (0, 4),
    }


def test_an_empty_topic_makes_a_batch_of_no_records() -> None:
    assert plan("kafka_empty", 0).ranges() == {("vacio", "0"): (0, 0), ("vacio", "1"): (0, 0)}


def test_other_ranges_are_another_identity() -> None:
    identities = {plan("kafka", b).identity for b in range(3)} | {plan("kafka_empty", 0).identity}
    assert len(identities) == len({i.input_digest for i in identities}) == 4


def test_the_query_id_is_part_of_the_identity() -> None:
    assert (
        batch_plan.read(DATA / "files", 3, "a").identity != batch_plan.read(DATA / "files", 3, "b").identity
    )


@pytest.mark.parametrize(
    ("name", "batch", "lost"),
    [
        ("files", 0, "offsets/0"),
        ("files", 5, "offsets/4"),
        ("kafka", 0, "sources/0/0"),
        ("files", 11, "sources/0/11"),
    ],
)
def test_what_a_plan_needs_and_misses_is_named(name: str, batch: int, lost: str, tmp_path: Path) -> None:
    path = Path(shutil.copytree(DATA / name, tmp_path / name))
    (path / lost).unlink()
    with pytest.raises(CheckpointDamaged) as caught:
        batch_plan.read(path, batch, "q")
    assert caught.value.where in (str(path / lost), str((path / lost).parent))


def test_a_file_planned_besides_changes_the_digest(tmp_path: Path) -> None:
    """What a power cut can do to an unsynced plan: the same number and positions, other files."""
    path = Path(shutil.copytree(DATA / "files", tmp_path / "files"))
    before = batch_plan.read(path, 11, "q").identity
    log = path / "sources/0/11"
    log.write_text(
        log.read_text()
        + "\n"
        + json.dumps({"path": "file:///tmp/caudal/in/0012-x.json", "timestamp": 1, "batchId": 11})
    )
    after = batch_plan.read(path, 11, "q").identity
    assert (before.start, before.end) == (after.start, after.end)
    assert before.input_digest != after.input_digest


def test_a_name_that_the_source_log_has_twice_counts_with_its_highest_offset(tmp_path: Path) -> None:
    path = Path(shutil.copytree(DATA / "files", tmp_path / "files"))
    name = next(checkpoint.all_entries(path)).name
    assert loaded.load(path, [name]).logged == {name: 0}
    log = path / "sources/0/11"
    twice = log.read_text(encoding="utf-8").replace(Path(next(iter(_paths(log)))).name, name)
    (path / "sources/0/.11.crc").unlink(missing_ok=True)
    log.write_text(twice, encoding="utf-8")
    assert loaded.load(path, [name]).logged == {name: 11}
    first, rest = (path / "sources/0/9.compact").read_text(encoding="utf-8").split("\n", 1)
    (path / "sources/0/9.compact").write_text(f"{first}\n{twice.split(chr(10))[1]}\n{rest}", encoding="utf-8")
    log.unlink()
    assert loaded.load(path, [name]).logged == {name: 11}, "also if the higher one comes first"


def _paths(log: Path) -> list[str]:
    return [json.loads(line)["path"] for line in log.read_text(encoding="utf-8").split("\n")[1:] if line]
