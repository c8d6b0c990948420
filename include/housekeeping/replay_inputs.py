"""Finds what a generation's rows came from, and checks that all of it can be read again.

The inputs of a file stream lie in archivo or en_proceso; those of a Kafka stream lie in their topic.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from include.housekeeping.plan_builder import PlanBuilder, purged
from include.kafka import offsets
from include.kafka.offsets import Positions
from include.settings import Settings
from include.state import journal
from include.state.generations import Generation
from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream, Topic

BROKER_S = 5.0  # as long as a run waits for the broker before it fails
_SHOWN = 5  # names in one message


def positions(settings: Settings, stream: Stream) -> Positions | None:
    """Of the source topic, now; None for a file source. Raises BrokerDown, TopicMissing."""
    if not isinstance(stream.source, Topic):
        return None
    return offsets.positions(settings, stream.source.name, BROKER_S)


def topic_ids(topic: Positions | None) -> dict[str, str]:
    return {topic.topic: topic.topic_id} if topic else {}


def recreated(generation: Generation, topic: Positions) -> bool:
    """Whether the topic was deleted and created again since: its offsets then mean other records."""
    known = generation.topic_ids.get(topic.topic, "")
    return bool(known and topic.topic_id and known != topic.topic_id)


def archived(layout: Layout, folder: str) -> dict[str, str]:
    """Admitted name -> path in archivo, relative to the home. Texts, because there may be 200,000 of them."""
    above = len(str(layout.home)) + 1
    return {
        name: f"{parent[above:]}/{name}"
        for parent, _, names in os.walk(layout.archivo(folder))
        for name in names
    }


def names_in(folder: Path) -> set[str]:
    """Names in a folder; none if the folder is missing."""
    return set(os.listdir(folder)) if folder.is_dir() else set()  # noqa: PTH208 - no Path for each of 200,000


def journaled(layout: Layout, stream: str, generation: int) -> set[str]:
    """Names of the files that were archived while `generation` was the current one."""
    path = layout.journal(stream)
    moves = journal.moves(path, ("archive", "rollover"), "generation = ?", (generation,))
    return {step.target.rpartition("/")[2] for _, step in moves}


@dataclass(frozen=True)
class ReturnedFiles:
    """How many files come back from archivo (`moved`), and how many are in en_proceso already (`present`)."""

    moved: int
    present: int


def bring_back(builder: PlanBuilder, stream: Stream, names: set[str]) -> ReturnedFiles:
    """A stage that moves each archived file of `names` back to its exact name in en_proceso.

    Raises Refused when a file is neither in archivo nor in en_proceso.
    """
    layout, folder = builder.layout, builder.layout.en_proceso(stream.folder)
    present = names_in(folder) & names
    index = archived(layout, stream.folder) if names - present else {}
    if missing := sorted(names - present - index.keys()):
        what = f"{_why_missing(layout, stream, missing)}: {_first_few(missing)}"
        raise Refused(what, layout.archivo(stream.folder), cli="bring them back there, then plan again")
    builder.stage()
    target = builder.relative(folder)
    for name in sorted(names - present):
        size_bytes = os.lstat(f"{layout.home}/{index[name]}").st_size
        builder.step("move", index[name], f"{target}/{name}", size_bytes)
    return ReturnedFiles(len(names - present), len(present))


def require_unpurged(layout: Layout, stream: Stream, generations: Sequence[int]) -> None:
    """Raises Refused when a purge has removed archived files of one of these generations."""
    purges = journal.operations(layout.journal(stream.name), "kind = 'purge' AND finished IS NOT NULL")
    for operation in purges:
        for generation, files in operation.detail.get("archived", {}).items():
            if int(generation) in generations:
                what = (
                    f"{operation.id} purged {files} archived files of generation {generation}: "
                    "their records cannot be read again"
                )
                cli = "no operation goes back to the beginning now; rollover goes on from here"
                raise Refused(what, layout.archivo(stream.folder), cli=cli)


def _why_missing(layout: Layout, stream: Stream, names: Sequence[str]) -> str:
    archive = f"data/archivo/{stream.folder}/"
    was_purged = any(path.startswith(archive) for path in purged(layout, stream.name))
    what = f"{len(names)} files are neither in en_proceso nor in archivo"
    return f"{what}, where purges have removed files" if was_purged else what


def _first_few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def ends(layout: Layout, stream: str, generation: int) -> tuple[Manifest, Manifest] | None:
    """The oldest and the newest manifest of a generation's output; None when nothing is published."""
    folders = manifest.published(layout.output(stream, generation))
    return (manifest.read(folders[min(folders)]), manifest.read(folders[max(folders)])) if folders else None


def unreadable(topic: Positions, first: Mapping[str, int], through: Mapping[str, int]) -> Iterator[str]:
    """For each partition, in words, the offsets first <= offset < through that the topic no longer has."""
    for partition, until in sorted(through.items()):
        begin = int(first.get(partition, 0))  # a partition that was added later is read from 0 on
        earliest = topic.earliest.get(int(partition), int(until))
        if begin < int(until) and begin < earliest:
            yield f"{topic.topic}/{partition} offsets {begin} to {min(earliest, int(until)) - 1}"


def require_readable(
    layout: Layout,
    generation: Generation,
    topic: Positions,
    first: Mapping[str, int],
    through: Mapping[str, int],
) -> None:
    """Raises Refused when the topic no longer has all records that this generation's rows came from.

    `first`, `through`: partition -> the first offset, and the offset after the last one.
    """
    if recreated(generation, topic):
        why = "the topic was deleted and made again"
        lost = [
            f"{topic.topic}/{p} offsets {first.get(p, 0)} to {int(end) - 1}"
            for p, end in through.items()
            if int(end) > int(first.get(p, 0))
        ]
    else:
        why = "the topic's retention has passed them"
        lost = list(unreadable(topic, first, through))
    if lost:
        what = f"records of generation {generation.number} cannot be read again, {why}: {_first_few(lost)}"
        output = layout.output(generation.stream, generation.number)
        raise Refused(what, output, cli="rollover goes on from here")
