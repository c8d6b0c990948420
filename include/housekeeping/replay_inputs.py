"""What a generation's rows came from: is it all still there, to be read again? Files in archivo or en_proceso, records in their topic."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from include.housekeeping.plan_builder import Way, purged
from include.kafka import offsets
from include.settings import Settings
from include.state import journal
from include.state.generations import Generation
from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream, Topic

BROKER_S = 5.0
_SHOWN = 5


def positions(settings: Settings, stream: Stream) -> offsets.Positions | None:
    """Of the source topic, now; None for a file source. Raises BrokerDown, TopicMissing."""
    return (
        offsets.positions(settings, stream.source.name, BROKER_S)
        if isinstance(stream.source, Topic)
        else None
    )


def topic_ids(found: offsets.Positions | None) -> dict[str, str]:
    return {found.topic: found.topic_id} if found else {}


def recreated(generation: Generation, found: offsets.Positions) -> bool:
    """Whether the topic was deleted and made again since: its offsets mean other records."""
    known = generation.topic_ids.get(found.topic, "")
    return bool(known and found.topic_id and known != found.topic_id)


def archived(layout: Layout, folder: str) -> dict[str, str]:
    """Admitted name -> where it lies in archivo, relative to the home. Texts, no Path of each: there may be 200,000."""
    above = len(str(layout.home)) + 1
    return {
        name: f"{parent[above:]}/{name}"
        for parent, _, names in os.walk(layout.archivo(folder))
        for name in names
    }


def names_in(folder: Path) -> set[str]:
    """Names in a folder, as they are; none when it is not there."""
    return set(os.listdir(folder)) if folder.is_dir() else set()  # noqa: PTH208 - 200,000 names, no Path of each


def journaled(layout: Layout, stream: str, generation: int) -> set[str]:
    """Names of the files that were archived while `generation` was the current one."""
    path = layout.journal(stream)
    return {
        step.target.rpartition("/")[2]
        for _, step in journal.moves(path, ("archive", "rollover"), "generation = ?", (generation,))
    }


@dataclass(frozen=True)
class Back:
    """How many files come back from archivo; `here`: those that never left en_proceso, or came back."""

    moved: int
    here: int


def bring_back(way: Way, stream: Stream, names: set[str]) -> Back:
    """A stage that moves every archived file of `names` to its exact name in en_proceso. Raises Refused when one is in neither place."""
    layout, folder = way.layout, way.layout.en_proceso(stream.folder)
    present = names_in(folder) & names
    index = archived(layout, stream.folder) if names - present else {}
    if gone := sorted(names - present - index.keys()):
        what = f"{_gone_why(layout, stream, gone)}: {_some(gone)}"
        raise Refused(what, layout.archivo(stream.folder), cli="bring them back there, then plan again")
    way.stage()
    goal = way.relative(folder)
    for name in sorted(names - present):
        way.step("move", index[name], f"{goal}/{name}", os.lstat(f"{layout.home}/{index[name]}").st_size)
    return Back(len(names - present), len(present))


def require_unpurged(layout: Layout, stream: Stream, generations: Sequence[int]) -> None:
    """Raises Refused when archived files of one of these generations were purged: nothing can read them again."""
    done = journal.operations(layout.journal(stream.name), "kind = 'purge' AND finished IS NOT NULL")
    for operation in done:
        for generation, files in operation.detail.get("archived", {}).items():
            if int(generation) in generations:
                what = f"{files} archived files of generation {generation} were purged by {operation.id}: their records could not be read again"
                raise Refused(
                    what,
                    layout.archivo(stream.folder),
                    cli="no way back to the beginning; rollover goes on from here",
                )


def _gone_why(layout: Layout, stream: Stream, gone: Sequence[str]) -> str:
    removed = [
        path for path in purged(layout, stream.name) if path.startswith(f"data/archivo/{stream.folder}/")
    ]
    return f"{len(gone)} files are neither in en_proceso nor in archivo" + (
        ", where purges have removed files" if removed else ""
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def ends(layout: Layout, stream: str, generation: int) -> tuple[Manifest, Manifest] | None:
    """The oldest and the newest manifest of a generation's output; None when nothing is published."""
    found = manifest.published(layout.output(stream, generation))
    return (manifest.read(found[min(found)]), manifest.read(found[max(found)])) if found else None


def unreadable(
    found: offsets.Positions, first: Mapping[str, int], through: Mapping[str, int]
) -> Iterator[str]:
    """In words, for each partition, the offsets of first <= offset < through that the topic has no longer."""
    for partition, until in sorted(through.items()):
        begin = int(first.get(partition, 0))  # a partition made meanwhile is read from 0 on
        earliest = found.earliest.get(int(partition), int(until))
        if begin < int(until) and begin < earliest:
            yield f"{found.topic}/{partition} offsets {begin} to {min(earliest, int(until)) - 1}"


def require_readable(
    layout: Layout,
    generation: Generation,
    found: offsets.Positions,
    first: Mapping[str, int],
    through: Mapping[str, int],
) -> None:
    """`first`, `through`: per partition, of this generation's rows. Raises Refused when records that rows were made from cannot be read again."""
    if recreated(generation, found):
        lost = [
            f"{found.topic}/{p} offsets {first.get(p, 0)} to {int(end) - 1}"
            for p, end in through.items()
            if int(end) > int(first.get(p, 0))
        ]
        why = "the topic was deleted and made again"
    else:
        lost, why = list(unreadable(found, first, through)), "the topic's retention has passed them"
    if lost:
        what = f"records of generation {generation.number} could not be read again, {why}: {_some(lost)}"
        raise Refused(
            what, layout.output(generation.stream, generation.number), cli="rollover goes on from here"
        )
