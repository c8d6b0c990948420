"""`./caudal quarantine` in processes that are killed: each refused record comes again once, byte for byte."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from include.samples import facturas as samples
from include.state import journal, refused_records
from include.torture.runs import Home, multiset
from tests.integration.command_line import caudal_of

pytestmark = [pytest.mark.spark, pytest.mark.slow]
BAD = [b'{"InvoiceNumber": 1\xff}', b"not json\r", b"not json\r"]


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_killed_at_each_step_every_refused_record_comes_again_once(tmp_path: Path) -> None:
    home, stream = Home.at(tmp_path / "home"), "facturas_ficheros"
    layout = home.settings.layout
    sample = samples.generate(10, seed=7, start_ms=1_700_000_000_000)
    path = layout.entrada(stream) / "mixed.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(
        b"".join(
            line + b"\n"
            for line in (sample.documents[0].encode(), *BAD, *(d.encode() for d in sample.documents[1:]))
        )
    )
    os.utime(path, (time.time() - 60, time.time() - 60))
    expected = multiset(sample.expected_lines())
    steps = ("stage", "")
    for batch, step in enumerate(steps):
        code, out = caudal_of(home.settings, "run", stream)
        assert code == 0, out
        assert (
            home.rows(),
            refused_records.reasons(refused_records.batches(layout, stream)[-1]).total(),
        ) == (expected, len(BAD)), step
        code, out = caudal_of(
            home.settings, "quarantine", "reprocess", stream, "--batch", str(batch), "--apply", failpoint=step
        )
        assert code == (-9 if step else 0), out
        assert bool(journal.open_operations(layout.journal(stream))) == bool(step)
    (delivery,) = layout.entrada(stream).glob("reproceso-*")
    assert sorted(delivery.read_bytes().split(b"\n")[1:-1]) == sorted(BAD)
    code, out = caudal_of(home.settings, "quarantine", "list", stream, "--json")
    groups = json.loads(out.splitlines()[-1])["streams"][stream]["records"]
    assert (code, [(g["records"], g["state"]) for g in groups]) == (
        0,
        [(len(BAD), "reprocessed")] * len(steps),
    )
    code, out = caudal_of(home.settings, "quarantine", "show", stream, "--batch", "0", "--json")
    found = json.loads(out.splitlines()[-1])["records"]
    assert (code, sorted(s["line"] for s in found), {s["file"] for s in found}) == (
        0,
        [2, 3, 4],
        {"mixed.json"},
    )
    code, out = caudal_of(home.settings, "quarantine", "reprocess", stream, "--apply")
    assert (code, "nothing to do" in out) == (0, True), out
