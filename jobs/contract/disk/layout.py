"""The paths of a home, and how to parse their names. Nothing here touches the disk.

    entrada/F -> en_proceso/F -> _staging/S -> salida/S/gen=0001/batch=000000007/{part-*,_MANIFEST}

S is a stream, F its source's folder (a folder feeds one stream).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "_MANIFEST"
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # streams, folders: safe as path, DAG id, lock and Spark name
# At least the padded width: more digits follow when the numbers grow beyond it.
_GENERATION = re.compile(r"gen=([0-9]{4,})")
_BATCH = re.compile(r"batch=([0-9]{9,})")
FOLDERS = ("entrada", "en_proceso", "salida", "archivo", "cuarentena", "checkpoints", "retirado", "_staging")


def is_name(text: str) -> bool:
    return NAME.fullmatch(text) is not None


def generation_name(generation: int) -> str:
    return f"gen={generation:04d}"


def batch_name(batch: int) -> str:
    return f"batch={batch:09d}"


def parse_generation(name: str) -> int | None:
    """The number in `gen=0001`; None for any other name."""
    match = _GENERATION.fullmatch(name)
    return int(match[1]) if match and generation_name(int(match[1])) == name else None


def parse_batch(name: str) -> int | None:
    """The number in `batch=000000007`; None for any other name, as for staged batches, whose names end with a
    run id."""
    match = _BATCH.fullmatch(name)
    return int(match[1]) if match and batch_name(int(match[1])) == name else None


@dataclass(frozen=True)
class Layout:
    """Paths of one home. `home` is absolute."""

    home: Path

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def entrada(self, folder: str) -> Path:
        return self.data / "entrada" / folder

    def en_proceso(self, folder: str) -> Path:
        return self.data / "en_proceso" / folder

    def claims(self, folder: str) -> Path:
        """Files that are claimed but not yet admitted. Spark does not list a folder whose name begins with a
        dot."""
        return self.en_proceso(folder) / ".claims"

    def archivo(self, folder: str) -> Path:
        return self.data / "archivo" / folder

    def refused_files(self, folder: str) -> Path:
        return self.data / "cuarentena" / folder / "ficheros"

    def quarantine(self, stream: str) -> Path:
        """Refused records, in one folder for each generation."""
        return self.data / "cuarentena" / stream / "registros"

    def refused_records(self, stream: str, generation: int, batch: int) -> Path:
        return self.quarantine(stream) / generation_name(generation) / batch_name(batch)

    def accepted(self, stream: str, generation: int, batch: int) -> Path:
        """One file for each time a person accepted this batch although it has more refused records than its
        row allows."""
        return self.state / "accepted" / stream / generation_name(generation) / batch_name(batch)

    def salida(self, stream: str) -> Path:
        return self.data / "salida" / stream

    def output(self, stream: str, generation: int) -> Path:
        return self.salida(stream) / generation_name(generation)

    def batch(self, stream: str, generation: int, batch: int) -> Path:
        return self.output(stream, generation) / batch_name(batch)

    def staging(self, stream: str) -> Path:
        return self.data / "_staging" / stream

    def staged_batch(self, stream: str, generation: int, batch: int, run_id: str) -> Path:
        return self.staging(stream) / generation_name(generation) / f"{batch_name(batch)}.{run_id}"

    def checkpoints(self, stream: str) -> Path:
        return self.data / "checkpoints" / stream

    def checkpoint(self, stream: str, generation: int) -> Path:
        return self.checkpoints(stream) / generation_name(generation)

    def generation_record(self, stream: str, generation: int) -> Path:
        return self.state / "generations" / stream / f"{generation_name(generation)}.json"

    def ledger(self, folder: str) -> Path:
        return self.state / "intake" / f"{folder}.sqlite"

    def journal(self, stream: str) -> Path:
        return self.state / "journal" / f"{stream}.sqlite"

    def retired(self, stream: str) -> Path:
        """What generation verbs have retired: one folder for each operation, with the same folders as
        data."""
        return self.data / "retirado" / stream

    def tokens(self, stream: str) -> Path:
        """The id of the topic that has the tokens of an exactly-once Kafka sink."""
        return self.state / "tokens" / f"{stream}.json"

    def lease(self, stream: str) -> Path:
        return self.state / "leases" / f"{stream}.lease"

    def publish_lock(self, stream: str) -> Path:
        return self.state / "leases" / f"{stream}.publish"

    def runs(self, stream: str) -> Path:
        return self.home / "runs" / stream

    def run(self, stream: str, run_id: str) -> Path:
        return self.runs(stream) / run_id

    @property
    def labs(self) -> Path:
        """One folder for each lab. A lab may clear its own folder."""
        return self.home / "labs"

    def lab(self, name: str) -> Path:
        return self.labs / name
