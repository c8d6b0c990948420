"""Today's code goes on in a home that the code of 30 November 2026 made, before packages and names changed.

data/home-before.tar.gz has these streams, all made by ./caudal of that day:

- facturas_ficheros: two malformed records, reprocessed once and refused again; a rollover; a run that was
  killed after it had published batch 1 of generation 2.
- bizums: two refused records, discarded; a run that was killed while it archived.
- bizums_fechados, and bizums_por_dia with the state of its windows.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include import streams
from include.account import quarantine, where
from include.account.audit import examine as audits
from include.housekeeping.files import archive, restore
from include.housekeeping.generations import rewind, rollover, undo
from include.housekeeping.refused import decide
from include.samples import bizums, facturas, put
from include.state import generations, journal, pairing
from include.torture.runs import multiset
from jobs.contract.commit.protocol import Next
from tests.integration.here import Home
from tests.integration.kafka_homes import do, ran
from tests.integration.test_bizums_por_dia import DAY_MS, HOUR_MS, Windows, days

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ARCHIVE = Path(__file__).with_name("data") / "home-before.tar.gz"
MADE_AT = "/var/tmp/home-before"  # Spark's source logs name their files with it


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Unpacks the home. Its source logs get the new path, and lose checksums that Spark does not need."""
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(tmp_path, filter="data")
    for log in tmp_path.glob("data/checkpoints/*/gen=*/sources/0/[0-9]*"):
        log.write_text(log.read_text().replace(MADE_AT, str(tmp_path)))
        log.with_name(f".{log.name}.crc").unlink()
    return tmp_path


def differences(home: Home) -> list[str]:
    found = audits.audit(home.settings, streams.get(home.stream), None, lambda _: None).differences
    return [str(difference) for difference in found]


def delivered(home: Home) -> list[str]:
    """Every record that the stream has admitted, in the order of its files."""
    layout, folder = home.settings.layout, streams.get(home.stream).folder
    files = [*layout.archivo(folder).glob("*/*"), *layout.en_proceso(folder).glob("0*")]
    return [line for file in sorted(files, key=lambda f: f.name) for line in file.read_text().splitlines()]


def invoice_rows(home: Home) -> Counter[str]:
    documents = [line for line in delivered(home) if "InvoiceNumber" in line]
    return multiset(row for document in documents for row in facturas.lines_of(document))


def place(home: Home, name: str) -> list[tuple[str, int | None]]:
    found = where.find(home.settings.layout, [streams.get(home.stream)], where.question(name))
    return [(file.place, file.batch) for file in found]


def states(home: Home) -> Counter[tuple[str, str]]:
    return Counter((g.reason, g.state) for g in quarantine.groups(home.settings.layout, home.stream))


def test_a_killed_run_is_finished_and_restore_rewind_rollover_and_undo_give_each_row_once(
    spark: Any, before: Path
) -> None:
    home = Home.on(spark, before, "facturas_ficheros")
    row, layout = streams.get(home.stream), home.settings.layout
    published = home.rows()
    assert (published, differences(home)) == (invoice_rows(home), [])
    assert pairing.check(layout, home.stream, 2).step is Next.RERUN
    assert states(home) == {("malformed", "reprocessed"): 1, ("malformed", "open"): 1}
    assert place(home, "mala.json") == [("archivo", 0)]

    sample = facturas.generate(5, seed=9, start_ms=1_795_000_000_000)
    put.lines(home.settings, row, "nueva.json", sample.documents)
    ran(home)
    assert home.report().batches == (1, 2)
    assert home.rows() == published + multiset(sample.expected_lines()) == invoice_rows(home)
    archive.sweep(home.settings, row, datetime.now(UTC))

    now, asked = datetime.now(UTC), restore.Asked(file="facturas-3-1.json")
    restore.apply(home.settings, row, restore.plan(home.settings, row, now, asked), now, asked)
    assert place(home, "facturas-3-1.json") == [("en_proceso", 0)]
    do(home, rewind.plan, to_batch=-1)
    assert home.rows() != published
    ran(home)
    assert (home.rows(), home.report().batches) == (invoice_rows(home), (0,))
    do(home, rollover.plan)
    assert generations.numbers(layout, home.stream) == [1, 2, 3]
    do(home, lambda settings, row, now: undo.plan(settings, row.name, now))
    assert generations.numbers(layout, home.stream) == [1, 2]
    ran(home)
    assert (home.report().status, home.rows(), differences(home)) == ("idle", invoice_rows(home), [])


def test_a_killed_archiving_is_finished_and_a_refused_record_is_delivered_again(
    spark: Any, before: Path
) -> None:
    home = Home.on(spark, before, "bizums")
    layout = home.settings.layout
    assert [op.kind for op in journal.open_operations(layout.journal(home.stream))] == ["archive"]
    rows = home.rows()
    ran(home)
    assert (home.report().status, home.rows(), place(home, "b2.csv")) == ("idle", rows, [("archivo", 1)])
    assert states(home) == {("malformed", "discarded"): 1, ("malformed", "open"): 1}
    do(home, decide.plan, verb="reprocess", asked=decide.Asked())
    ran(home)
    assert states(home)["malformed", "reprocessed"] == 1
    assert (home.report().records_in, home.report().quarantined, home.rows()) == (1, 1, rows)
    assert differences(home) == []


def test_windows_go_on_from_the_state_that_was_kept(spark: Any, before: Path) -> None:
    dated, daily = (Home.on(spark, before, name) for name in ("bizums_fechados", "bizums_por_dia"))
    windows = Windows(DAY_MS, DAY_MS, 6 * HOUR_MS)
    expected = days(windows, delivered(dated), False)
    assert daily.rows() == expected
    more = list(bizums.dated_lines(30, 8, datetime(2026, 11, 28, tzinfo=UTC), days=2))
    put.lines(dated.settings, streams.get(dated.stream), "mas.csv", more)
    daily.close = True
    for home in (dated, daily):
        ran(home)
    expected += days(windows, more, True)
    assert daily.rows() == expected
    assert (differences(dated), differences(daily)) == ([], [])
