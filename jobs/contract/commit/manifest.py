"""`_MANIFEST` says what one published batch holds, and from which input it was made.

The rename that brings the batch folder into salida is the commit point of the output.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobs.contract.disk.layout import MANIFEST, parse_batch
from jobs.contract.errors import DataError

VERSION = 1
Position = Mapping[
    str, Any
]  # {"logOffset": 7} for files, {"topic": {"0": 41}} for Kafka; {} before the first batch


@dataclass(frozen=True)
class OutputFile:
    name: str
    size_bytes: int
    sha256: str
    records: int


@dataclass(frozen=True)
class Note:
    """How many published records break a rule that is only reported. `example`: origin of one of them."""

    records: int
    example: str


@dataclass(frozen=True)
class Identity:
    """What two attempts must have in common to be the same batch. Only then may the second one be skipped."""

    query_id: str
    start: str  # canonical JSON of the position before the batch
    end: str
    input_digest: str


@dataclass(frozen=True)
class Manifest:
    """One published batch. `records_in` = accepted + `quarantined`. `rows_out` = sum of the files' records.

    `start`, `end`: source positions. `notes`: rule code -> records that were published although they break
    the rule. `headers`: number of csv header lines; -1 in manifests older than this count. `partitions`:
    topic/partition -> records of a Kafka source; empty when they were not counted. `dropped_late`: rows that
    a stateful batch dropped because they came too late; a lower bound, because Spark counts them after its
    first aggregation. `columns`: names of the row's columns in the sink's order, because JSON leaves nulls
    out; empty in older manifests.
    """

    stream: str
    query_id: str
    generation: int
    batch: int
    input_digest: str
    start: Position
    end: Position
    files: tuple[OutputFile, ...]
    records_in: int
    rows_out: int
    quarantined: int
    quarantine_digest: str
    run_id: str
    notes: Mapping[str, Note] = field(default_factory=dict)
    headers: int = -1
    partitions: Mapping[str, int] = field(default_factory=dict)
    dropped_late: int = 0
    columns: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def identity(self) -> Identity:
        return Identity(self.query_id, canonical(self.start), canonical(self.end), self.input_digest)

    def to_json(self) -> bytes:
        # Older manifests have no columns. One that is written without them looks the same.
        values = {name: value for name, value in asdict(self).items() if name != "columns" or value}
        return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode(
            "utf-8", "backslashreplace"
        )  # file names may contain bytes that are not UTF-8

    @classmethod
    def from_json(cls, data: bytes, where: object = "") -> Manifest:
        """Raises DataError when the bytes are not a manifest of this version."""
        try:
            raw = json.loads(data)
            if raw["version"] != VERSION:
                raise DataError(f"manifest version {raw['version']} is not {VERSION}", where)
            notes = {code: Note(**note) for code, note in raw.get("notes", {}).items()}
            files, columns = tuple(OutputFile(**f) for f in raw["files"]), tuple(raw.get("columns", ()))
            return cls(**{**raw, "files": files, "notes": notes, "columns": columns})
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"unreadable manifest ({type(error).__name__}: {error})", where) from error


def canonical(value: Any) -> str:
    """One text for equal values: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """sha256 of the canonical text, as hex."""
    # surrogatepass: a file name that is not UTF-8 has lone surrogates in Python
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def read(batch_dir: Path) -> Manifest:
    """The manifest of a published batch. Raises DataError when the folder has none."""
    path = batch_dir / MANIFEST
    try:
        return Manifest.from_json(path.read_bytes(), path)
    except FileNotFoundError as error:
        raise DataError("a published batch without its manifest", batch_dir) from error


def published(output: Path) -> dict[int, Path]:
    """batch number -> folder of each published batch in one generation's folder, ascending. Other names are
    left out."""
    if not output.is_dir():
        return {}
    batches = {batch: entry for entry in output.iterdir() if (batch := parse_batch(entry.name)) is not None}
    return dict(sorted(batches.items()))
