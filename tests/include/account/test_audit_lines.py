"""What audit counts in a delivered file: records, as the stream's row separates them."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from include import intake
from include import settings as caudal
from include.account.audit import files
from include.account.audit.findings import Audit, Case
from include.state import archived
from jobs.contract.disk.ledger import Entry
from jobs.contract.stream import Files, Stream

BOM = b"\xef\xbb\xbf"
BY_LINE = Stream("s", Files("csv", separator=";", settle_s=0), Files())
WHOLE = replace(BY_LINE, source=replace(BY_LINE.source, multiline=True))
TEXT = (
    b"id;t\r\n" + BOM + b"\r\n" + BOM + b'1;"a\r\nb"\r\n2;c'
)  # five lines, of which one is blank; three records
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "x.csv": bytes,
    "x.csv.gz": gzip.compress,
    "x.csv.bz2": bz2.compress,
}


def admitted(tmp_path: Path, stream: Stream, name: str, data: bytes) -> tuple[Case, Entry]:
    case = Case(caudal.load({"CAUDAL_HOME": str(tmp_path)}), stream, None, Audit("s"), lambda _: None)
    entrada = case.layout.entrada("s")
    entrada.mkdir(parents=True)
    (entrada / name).write_bytes(data)
    return case, intake.admit(case.layout, stream, lambda: 2e9, lambda _: None).admitted[0]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize(("stream", "records"), [(BY_LINE, 4), (WHOLE, 3)])
def test_audit_counts_as_intake_does(tmp_path: Path, name: str, stream: Stream, records: int) -> None:
    case, entry = admitted(tmp_path, stream, name, PACKED[name](BOM + TEXT))
    files.audit(case)
    assert (entry.records, case.audit.counts["lines"], case.audit.differences) == (records, records, [])


@pytest.mark.parametrize(("before", "now"), [(BY_LINE, WHOLE), (WHOLE, BY_LINE)])
def test_a_file_counted_before_multiline_was_changed_is_told_only_while_it_is_still_to_be_read(
    tmp_path: Path, before: Stream, now: Stream
) -> None:
    case, entry = admitted(tmp_path, before, "x.csv", TEXT)
    case = replace(case, stream=now)
    files.audit(case)
    assert [d.what for d in case.audit.differences] == [
        f"{7 - entry.records} lines, but {entry.records} in the intake ledger"
    ]
    target = archived.target(case.layout, "s", entry)
    target.parent.mkdir(parents=True)
    (case.layout.en_proceso("s") / entry.name).rename(target)
    case = replace(case, audit=Audit("s"))
    files.audit(case)
    assert case.audit.differences == []
