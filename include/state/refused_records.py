"""Refused records as they lie in quarantine, `cuarentena/S/registros/gen=N/batch=k`: what is there, what counts, and what has become of it.

They count when the published manifest names their digest. A batch that was held back has some, too, and no manifest: they wait for a decision.
A mark beside the part files says of which reasons the records were reprocessed or discarded; it goes wherever the batch goes, so that a reset
or a rewind, which reads the same records again, takes back the marks with the records they stand for.
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

State = Literal["open", "held", "reprocessed", "discarded"]  # held: of a batch that is not published
_MARK = re.compile(r"_handled\.([0-9TZa-z-]{1,64})\.json")


@dataclass(frozen=True)
class Record:
    """`raw`: the bytes as they came; None for a Kafka tombstone. `origin`: the admitted file, or topic/partition/offset. `header`: of a csv
    record, the line that names its fields; empty for none."""

    reason: str
    message: str
    origin: str
    raw: bytes | None
    run_id: str
    header: str = ""


@dataclass(frozen=True)
class Mark:
    """What one operation did with all records of `reasons` of its batch. `delivery`: the file made of reprocessed ones. `at`: UTC, ISO 8601."""

    operation: str
    state: Literal["reprocessed", "discarded"]
    reasons: tuple[str, ...]
    at: str
    delivery: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Batch:
    """One folder of refused records. `manifest`: None while the batch is not published."""

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
        """When the run that refused them began; of a run id that tells none, when the folder was made."""
        run_id = self.manifest.run_id if self.manifest else next((r.run_id for r in records(self.folder)), "")
        if is_run_id(run_id):
            return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
        return datetime.fromtimestamp(self.folder.stat().st_mtime, UTC)


@dataclass(frozen=True)
class Selection:
    """What a delivery holds: all records of `reasons` and `header` of a batch whose quarantine has this `digest`. `multiline`: the separator of
    csv records that may span lines; empty where every line is one."""

    reasons: tuple[str, ...]
    digest: str
    header: str = ""
    multiline: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Selection:
        raw = json.loads(text)
        return cls(
            tuple(raw["reasons"]),
            str(raw["digest"]),
            str(raw.get("header", "")),
            str(raw.get("multiline", "")),
        )


def batches(layout: Layout, stream: str) -> list[Batch]:
    """Of the live generations, oldest first; what a killed attempt left under a batch that then refused nothing is left out. Raises DataError."""
    root = layout.quarantine(stream)
    numbers = (
        sorted(n for entry in root.iterdir() if (n := parse_generation(entry.name)) is not None)
        if root.is_dir()
        else []
    )
    found = [
        _batch(layout, stream, g, b)
        for g in numbers
        for b in manifest.published(layout.refused_records(stream, g, 0).parent)
    ]
    return [one for one in found if one.manifest is None or one.manifest.quarantined]


def _batch(layout: Layout, stream: str, generation: int, number: int) -> Batch:
    folder, output = (
        layout.refused_records(stream, generation, number),
        layout.batch(stream, generation, number),
    )
    return Batch(
        generation,
        number,
        folder,
        manifest.read(output) if (output / MANIFEST).exists() else None,
        _marks(folder),
    )


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


def records(folder: Path) -> Iterator[Record]:
    """In the order of the part files. Raises DataError for a line that quarantine did not write."""
    for part in _parts(folder):
        with part.open("rb") as lines:
            for line in lines:
                yield _record(line, part)


def _record(line: bytes, where: Path) -> Record:
    try:
        found: dict[str, str] = json.loads(line)
        raw = (
            base64.b64decode(found["raw_base64"])
            if "raw_base64" in found
            else found["raw"].encode()
            if "raw" in found
            else None
        )
        return Record(
            found["reason"],
            found.get("message", ""),
            found["origin"],
            raw,
            found["run_id"],
            found.get("header", ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"not a refused record ({type(error).__name__}: {error})", where) from error


def _parts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith("part-"))


def reasons(batch: Batch) -> Counter[str]:
    """Records by reason."""
    return Counter(record.reason for record in records(batch.folder))


def headers(batch: Batch, wanted: Collection[str]) -> list[str]:
    """The headers that records of the reasons `wanted` stand under, in order; "" for none."""
    return sorted(
        {
            record.header
            for record in records(batch.folder)
            if record.reason in wanted and record.raw is not None
        }
    )


def digest(folder: Path) -> str:
    """As the manifest names it: over the part files' contents and numbers of records."""
    return manifest.digest(sorted(_sealed(part) for part in _parts(folder)))


def _sealed(part: Path) -> tuple[str, int]:
    found, lines = hashlib.sha256(), 0
    with part.open("rb") as data:
        while chunk := data.read(1024 * 1024):
            found.update(chunk)
            lines += chunk.count(b"\n")
    return found.hexdigest(), lines


def require_whole(batch: Batch) -> None:
    """Raises DataError when the part files are not what the manifest vouches for."""
    if batch.manifest and digest(batch.folder) != batch.manifest.quarantine_digest:
        raise DataError(
            "the refused records are not those that were published",
            batch.folder,
            cli="bring the folder back from a backup",
        )


def delivery(operation: str, name: str, folder: Path, wanted: Selection) -> Iterator[bytes]:
    """The content of the delivery `name`: its id line, the header of its records, then each record's exact bytes and a line end. Records with a
    quote left open, which what follows could close, come last, by reason."""
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
    yield from (raw + b"\n" for _, raw in sorted(last, key=lambda one: one[0]))
