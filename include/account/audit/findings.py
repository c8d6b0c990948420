"""What an audit finds, as plain values, and the case that its parts share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from include.settings import Settings
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import Layout
from jobs.contract.stream import Stream

Tell = Callable[[str], None]  # progress: what is being read


@dataclass(frozen=True)
class Difference:
    """`where`: the file, batch, topic or partition. `remedy`: what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} -> {self.remedy}"


@dataclass
class Audit:
    """`counts`: what was read, by title. `unchecked`: what could not be checked, one sentence each."""

    stream: str
    since: str = ""
    differences: list[Difference] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        differences = [{"where": d.where, "what": d.what, "way": d.remedy} for d in self.differences]
        return {**vars(self), "sound": self.sound, "differences": differences}


@dataclass(frozen=True)
class Case:
    """One stream under audit. `since`: only batches of runs and files admitted from then on; None for all.
    `audit`: what the parts find. `tell`: called with a line of progress."""

    settings: Settings
    stream: Stream
    since: datetime | None
    audit: Audit
    tell: Tell

    @property
    def layout(self) -> Layout:
        return self.settings.layout

    @property
    def name(self) -> str:
        return self.stream.name

    def covers(self, run_id: str) -> bool:
        """Whether the run began within the audited time: run ids begin with their time in UTC."""
        return self.since is None or run_id >= f"{self.since.astimezone(UTC):%Y%m%dT%H%M%S}"

    def differ(self, where: object, what: str, remedy: str) -> None:
        self.audit.differences.append(Difference(str(where), what, remedy))

    def unchecked(self, sentence: str) -> None:
        self.audit.unchecked.append(sentence)

    def count(self, title: str, number: int = 1) -> None:
        self.audit.counts[title] = self.audit.counts.get(title, 0) + number

    def differ_batch(self, generation: int, batch: int, what: str) -> None:
        self.differ(batch_words(generation, batch), what, self.again(batch))

    def again(self, batch: int) -> str:
        """How the rows of a batch are produced once more."""
        rewind = f"./caudal generation rewind {self.name} --to-batch {batch - 1}"
        reset = f"./caudal generation reset {self.name} reads everything again"
        return f"bring its folder back from a backup, or {rewind if batch > 0 else reset}"


@dataclass(frozen=True)
class Published:
    """Readable manifests of one live generation, ascending. `asked`: those within the audited time."""

    generation: int
    manifests: tuple[Manifest, ...]
    asked: tuple[Manifest, ...]


def batch_words(generation: int, batch: int) -> str:
    return f"batch {batch} of generation {generation}"
