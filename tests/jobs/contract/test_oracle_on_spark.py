"""The player in oracle.py is believed by the exhaustive tests; here real Spark plays the same checkpoints,
and must do what the player says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.contract.oracle import REACHABLE, REFUSED, Disk, Stuck, play

pytestmark = pytest.mark.spark
BATCHES = 4
CASES = {name: disk for name, (disk, _, _) in REACHABLE.items()} | REFUSED
CASES |= {
    "newest offset alone": Disk("q", (3,), (3,), ()),
    "rewound to the oldest retained": Disk("q", (2,), (2,), ()),
    "rewound to one above it": Disk("q", (1, 2), (1, 2), ()),
    "commits gone, gaps below": Disk("q", (0, 2, 3), (), ()),
    "a commit without any offset": Disk("q", (), (0,), ()),
}


def run(spark: Any, source: Path, checkpoint: Path) -> list[int]:
    """Batches Spark runs until nothing is left, one file each. Raises what Spark raises."""
    ran: list[int] = []
    frame = spark.readStream.schema("a INT").option("maxFilesPerTrigger", 1).json(str(source))
    writer = frame.writeStream.foreachBatch(lambda _, batch: ran.append(batch)).option(
        "checkpointLocation", str(checkpoint)
    )
    writer.trigger(availableNow=True).start().awaitTermination()
    return ran


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(source folder, checkpoint after four batches); one more file has arrived since."""
    folder = tmp_path_factory.mktemp("oracle")
    source, checkpoint = folder / "source", folder / "checkpoint"
    source.mkdir()
    for number in range(BATCHES):
        (source / f"{number}.json").write_text(f'{{"a":{number}}}\n')
    assert run(spark, source, checkpoint) == list(range(BATCHES))
    (source / "later.json").write_text('{"a":9}\n')
    return source, checkpoint


@pytest.fixture
def cut_down(world: tuple[Path, Path], tmp_path: Path) -> Callable[[Disk], Path]:
    """A copy of the checkpoint with nothing but what `disk` names."""

    def make(disk: Disk) -> Path:
        path = Path(shutil.copytree(world[1], tmp_path / "checkpoint"))
        for folder, kept in (("offsets", disk.offsets), ("commits", disk.commits)):
            for number in set(range(BATCHES)) - set(kept):
                (path / folder / str(number)).unlink()
                (path / folder / f".{number}.crc").unlink()
        if disk.query_id is None:
            (path / "metadata").unlink()
            (path / ".metadata.crc").unlink()  # left behind, Spark takes it for another query's
        return path

    return make


@pytest.mark.parametrize("name", CASES)
def test_spark_runs_what_the_player_says_or_stops(
    name: str, spark: Any, world: tuple[Path, Path], cut_down: Callable[[Disk], Path]
) -> None:
    from pyspark.errors import PySparkException

    disk = replace(CASES[name], published=(), wrong=())
    checkpoint = cut_down(disk)
    try:
        expected = play(disk)[1]
    except Stuck:
        with pytest.raises(PySparkException):
            run(spark, world[0], checkpoint)
        return
    assert run(spark, world[0], checkpoint)[: len(expected)] == expected
