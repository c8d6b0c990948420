"""What intake works with, and what it returns."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from include.intake.content import Demands
from include.state import deliveries
from jobs.contract.disk.layout import Layout
from jobs.contract.disk.ledger import Entry
from jobs.contract.stream import Files, Stream

Clock = Callable[[], float]  # seconds since 1970
Sleep = Callable[[float], object]  # seconds


@dataclass(frozen=True)
class Refusal:
    """A file that was moved to `cuarentena/F/ficheros` as `name`, with `name`.reason.json beside it."""

    original_name: str
    name: str
    reason: str

    @property
    def code(self) -> str:
        return code(self.reason)


@dataclass(frozen=True)
class Intake:
    """What one `admit` did. `waiting`: "name: why" of each file that stays in entrada or claimed for now."""

    admitted: tuple[Entry, ...] = ()
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()


class Busy(Exception):
    """The file is not at rest, or cannot be read now. It goes back, and the next run tries again."""


@dataclass
class Room:
    """One call of `admit`: where it works, its clock, and what it has done so far."""

    layout: Layout
    stream: Stream
    clock: Clock
    sleep: Sleep
    admitted: list[Entry] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    @property
    def folder(self) -> str:
        return self.stream.folder

    @property
    def settle_s(self) -> float:
        return self.stream.source.settle_s if isinstance(self.stream.source, Files) else 0.0

    @property
    def under_way(self) -> tuple[str, ...]:
        return self.stream.source.under_way if isinstance(self.stream.source, Files) else ()

    @property
    def takes_duplicates(self) -> bool:
        return isinstance(self.stream.source, Files) and self.stream.source.duplicates == "take"

    @property
    def demands(self) -> Demands:
        limits, source = self.stream.limits, self.stream.source
        if not isinstance(source, Files) or source.format != "csv":
            return Demands("json", limits.file_bytes, limits.line_bytes, limits.unpack_ratio)
        if source.multiline and limits.whole_file_bytes < limits.file_bytes:
            whole = limits.whole_file_bytes, limits.line_bytes, limits.unpack_ratio
            return Demands("csv", *whole, size_limit="whole_file_bytes")
        separator = b"" if source.multiline else source.separator.encode()
        return Demands("csv", limits.file_bytes, limits.line_bytes, limits.unpack_ratio, separator)

    @property
    def multiline(self) -> bytes:
        """The separator of csv records that may span lines; empty if every line is a record."""
        return self.stream.source.multiline_separator if isinstance(self.stream.source, Files) else b""

    def is_delivery(self, name: str) -> bool:
        """Whether the verb reprocess has made the claim of this name. Then intake has admitted its records
        before, and makes no demands."""
        delivery = deliveries.of_name(self.layout, self.stream.name, name)
        return delivery is not None and delivery.begins(self.layout.claims(self.folder) / name)

    def wait(self, name: str, why: str) -> None:
        self.waiting.append(f"{shown(name)}: {why}")


def code(reason: str) -> str:
    """The first word of a refusal. It is a stable code: `duplicate`, `json-array`…"""
    return reason.partition(":")[0]


def shown(name: str) -> str:
    """A file name as text that can be encoded: bytes that are not UTF-8 become \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
