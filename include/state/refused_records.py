"""Refused records in quarantine, `cuarentena/S/registros/gen=N/batch=k`, and what has become of them.

They count if the published manifest names their digest. A batch that is held has refused records, too, but no
manifest: they wait for a person's decision.

A mark beside the part files names the reasons whose records were reprocessed or discarded. It moves with the
batch. So a reset or rewind, which reads the same records again, takes back their marks, too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from jobs.contract.commit import manifest
from jobs.contract.commit.manifest import Manifest
from jobs.contract.disk.layout import MANIFEST, Layout, parse_generation
from jobs.contract.errors import DataError
from jobs.contract.run.spec import is_run_id
from jobs.contract.text.csv_records import stands_alone
from jobs.contract.text.reprocessed import id_line

State = Literal["open", "held", "reprocessed", "discarded"]  # held: the batch is not published
_MARK = re.compile(r"_handled\.([0-9TZa-z-]{1,64})\.json")


@dataclass(frozen=True)
class RefusedRecord:
    """`raw`: the bytes as they came; None for a Kafka tombstone. `origin`: the admitted file, or
    topic/partition/offset. `header`: the line that names the fields of a csv record; empty for none."""

    reason: str
    message: str
    origin: str
    raw: bytes | None
    run_id: str
    header: str = ""


@dataclass(frozen=True)
class Mark:
    """What one operation did with all records of its batch that were refused for one of `reasons`.

    `delivery`: the file made of reprocessed records. `at`: UTC, ISO 8601.
    """

    operation: str
    state: Literal["reprocessed", "discarded"]
    reasons: tuple[str, ...]
    at: str
    delivery: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Batch:
    """One folder of refused records. `manifest`: None if the batch is not published."""

    generation: int
    number: int
    folder: Path
    manifest: Manifest | None
    marks: tuple[Mark, ...]

    def mark(self, reason: str) -> Mark | None:
        return next((mark for mark in self.marks if reason in mark.reasons), None)

    def state(self, reason: str) -> State:
        mark = self.mark(reason)
        return mark.state if mark else "open" if self.manifest else "held"

    @property
    def at(self) -> datetime:
        """When the run that refused them began; if its id has no time, when the folder was last changed."""
        run_id = self.manifest.run_id if self.manifest else next((r.run_id for r in records(self.folder)), "")
        if is_run_id(run_id):
            return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
        return datetime.fromtimestamp(self.folder.stat().st_mtime, UTC)


@dataclass(frozen=True)
class Selection:
    """What a delivery holds: the records of a batch that were refused for `reasons` and stand under `header`.

    `digest`: of the batch's quarantine. `multiline`: the separator of csv records that may span lines; empty
    if each line is a record.
    """

    reasons: tuple[str, ...]
    digest: str
    header: str = ""
    multiline: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Selection:
        raw = json.loads(text)
        header, multiline = str(raw.get("header", "")), str(raw.get("multiline", ""))
        return cls(tuple(raw["reasons"]), str(raw["digest"]), header, multiline)


def batches(layout: Layout, stream: str) -> list[Batch]:
    """Batches with refused records, of the live generations, oldest first. Raises DataError.

    A killed run may leave a folder for a batch that then refused nothing; that one is left out.
    """
    root = layout.quarantine(stream)
    names = [entry.name for entry in root.iterdir()] if root.is_dir() else []
    generations = sorted(n for name in names if (n := parse_generation(name)) is not None)
    all_batches = [
        _batch(layout, stream, generation, number)
        for generation in generations
        for number in manifest.published(layout.refused_records(stream, generation, 0).parent)
    ]
    return [batch for batch in all_batches if batch.manifest is None or batch.manifest.quarantined]


def _batch(layout: Layout, stream: str, generation: int, number: int) -> Batch:
    folder = layout.refused_records(stream, generation, number)
    output = layout.batch(stream, generation, number)
    published = manifest.read(output) if (output / MANIFEST).exists() else None
    return Batch(generation, number, folder, published, _marks(folder))


def mark_name(operation: str) -> str:
    return f"_handled.{operation}.json"


def _marks(folder: Path) -> tuple[Mark, ...]:
    return tuple(_mark(path) for path in sorted(folder.iterdir()) if _MARK.fullmatch(path.name))


def _mark(path: Path) -> Mark:
    try:
        raw: dict[str, Any] = json.loads(path.read_bytes())
        return Mark(**{**raw, "reasons": tuple(raw["reasons"])})
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"unreadable mark ({type(error).__name__}: {error})", path) from error


def records(folder: Path) -> Iterator[RefusedRecord]:
    """In the order of the part files. Raises DataError for a line that a run did not write."""
    for part in _parts(folder):
        with part.open("rb") as lines:
            for line in lines:
                yield _record(line, part)


def _record(line: bytes, where: Path) -> RefusedRecord:
    try:
        row: dict[str, str] = json.loads(line)
        message, header = row.get("message", ""), row.get("header", "")
        return RefusedRecord(row["reason"], message, row["origin"], _raw(row), row["run_id"], header)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"not a refused record ({type(error).__name__}: {error})", where) from error


def _raw(row: dict[str, str]) -> bytes | None:
    """Bytes that are not UTF-8 are stored as base64. A tombstone has neither field."""
    if "raw_base64" in row:
        return base64.b64decode(row["raw_base64"])
    return row["raw"].encode() if "raw" in row else None


def _parts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith("part-"))


def reasons(batch: Batch) -> Counter[str]:
    """Reason -> number of records."""
    return Counter(record.reason for record in records(batch.folder))


def headers(batch: Batch, wanted: Collection[str]) -> list[str]:
    """The csv headers of the records that were refused for a reason of `wanted`, in order; "" for none."""
    matching = (record for record in records(batch.folder) if record.reason in wanted)
    return sorted({record.header for record in matching if record.raw is not None})


def digest(folder: Path) -> str:
    """The digest that the manifest names: over the part files' contents and numbers of records."""
    return manifest.digest(sorted(_hash_and_lines(part) for part in _parts(folder)))


def _hash_and_lines(part: Path) -> tuple[str, int]:
    content, lines = hashlib.sha256(), 0
    with part.open("rb") as data:
        while chunk := data.read(1024 * 1024):
            content.update(chunk)
            lines += chunk.count(b"\n")
    return content.hexdigest(), lines


def require_whole(batch: Batch) -> None:
    """Raises DataError when the part files differ from the manifest's digest."""
    if batch.manifest and digest(batch.folder) != batch.manifest.quarantine_digest:
        what = "the refused records are not those that were published"
        raise DataError(what, batch.folder, cli="bring the folder back from a backup")


def delivery(operation: str, name: str, folder: Path, wanted: Selection) -> Iterator[bytes]:
    """The content of the delivery `name`: its id line, the records' header, then each record's exact bytes
    and a line end.

    Records that leave a quote open come last, by reason: a following record could close the quote.
    """
    yield id_line(operation, name)
    if wanted.header:
        yield wanted.header.encode() + b"\n"
    last: list[tuple[str, bytes]] = []
    for record in records(folder):
        if record.reason in wanted.reasons and record.header == wanted.header and record.raw is not None:
            if wanted.multiline and not stands_alone(record.raw, wanted.multiline.encode()):
                last.append((record.reason, record.raw))
            else:
                yield record.raw + b"\n"
    yield from (raw + b"\n" for _, raw in sorted(last, key=lambda pair: pair[0]))
