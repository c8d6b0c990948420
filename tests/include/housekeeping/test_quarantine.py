"""Reprocessed and discarded records on real runs: exact bytes, and each row once, whatever is reset, rewound
or run again afterwards."""

from __future__ import annotations

import functools
import json
import operator
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from include import intake
from include.account import quarantine as account
from include.housekeeping.generations import reset, rewind, rollover, undo
from include.housekeeping.plan import Plan
from include.housekeeping.refused import decide
from include.housekeeping.refused.decide import Asked
from include.state import refused_records
from jobs.contract.errors import Refused
from jobs.contract.run import report
from jobs.contract.stream import Checks, Files, Limits, Stream
from tests.include.housekeeping.homes import CHECKS, Home, invoice, kept
from tests.matrix import long

pytestmark = [pytest.mark.spark, pytest.mark.slow]
BAD = [
    b'{"cut": "\xff\xfe',
    b"[1,2]",
    b' {"InvoiceNumber": 7} x\r',
    b'{"InvoiceNumber": "dup", "InvoiceNumber": "dup"}',
]


def miscounted(number: int) -> str:
    """An invoice with one line that says it has five: refused unless the row reports it."""
    return json.dumps({**json.loads(invoice(number)), "NumberOfItems": 5})


def deliver(home: Home, name: str, *lines: bytes | str) -> None:
    folder = home.layout.entrada(home.stream.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(
        b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    )
    take_in(home)


def take_in(home: Home) -> intake.Intake:
    return intake.admit(home.layout, home.stream, lambda: 2e9, lambda _: None)


@pytest.fixture
def strict(home: Home) -> Home:
    """Batch 0: invoice 1 and a miscounted 2. Batch 1: invoice 3, a miscounted 4, and lines that are no
    invoices. The row refuses miscounted ones."""
    home.stream = replace(home.stream, checks=Checks())
    two_batches(home)
    assert home.rows() == Counter(["1-0", "3-0"])
    return home


@kept
def two_batches(home: Home) -> None:
    deliver(home, "a", invoice(1), miscounted(2))
    home.run()
    deliver(home, "b", *BAD, miscounted(4), invoice(3))
    home.run()
    home.archive()


def mend(home: Home) -> None:
    """From here on miscounted invoices are published."""
    home.stream = replace(home.stream, checks=CHECKS)


def reprocess(home: Home, asked: Asked = Asked()) -> Plan:  # noqa: B008 - frozen
    home.tick()
    return home.apply(lambda: decide.plan(home.settings, home.stream, home.now, "reprocess", asked))


def waiting(home: Home) -> dict[str, list[bytes]]:
    """Deliveries in entrada: file name -> lines without the first one."""
    found = sorted(home.layout.entrada(home.stream.folder).glob("reproceso-*"))
    return {p.name: p.read_bytes().split(b"\n")[1:-1] for p in found}


FOUR = Counter(["1-0", "2-0", "3-0", "4-0"])


def test_a_reprocessed_record_gives_its_row_once_and_what_is_bad_is_refused_again_with_its_trail(
    strict: Home,
) -> None:
    home = strict
    mend(home)
    made = reprocess(home)
    first, second = waiting(home).values()
    assert first == [miscounted(2).encode()]
    assert sorted(second) == sorted([*BAD, miscounted(4).encode()])
    assert take_in(home).refused == ()
    assert home.run() == 1
    assert home.rows() == FOUR
    again = decide.plan(home.settings, home.stream, home.tick(), "reprocess", Asked(batch=1))
    assert not again.steps
    assert {k.reason.split(" by ")[0] for k in again.kept} > {"malformed: reprocessed"}
    states = {(g.batch, g.reason, g.state): g.records for g in account.groups(home.layout, home.name)}
    assert states[0, "items-count", "reprocessed"] == states[1, "items-count", "reprocessed"] == 1
    assert states[2, "duplicate-key", "open"] == 1
    shown = {s.record.raw: s for s in account.show(home.layout, home.stream, account.Asked(batch=2))}
    assert set(shown) == set(BAD)
    for raw in BAD:
        file = home.layout.en_proceso(home.name) / shown[raw].record.origin
        assert file.read_bytes().split(b"\n")[(shown[raw].line or 0) - 1] == raw
        assert shown[raw].reprocessed_from == f"batch 1 of generation 1, by {made.id}"
    assert home.run() == 0
    assert home.rows() == FOUR


@pytest.mark.parametrize("archived", [True, long(False)])
def test_a_reset_reads_reprocessed_records_where_they_first_came_from_and_nowhere_else(
    strict: Home, archived: bool
) -> None:
    home = strict
    mend(home)
    reprocess(home)
    take_in(home)
    home.run()
    if archived:
        home.archive()
    home.tick()
    home.apply(lambda: reset.plan(home.settings, home.stream, home.now))
    home.apply(lambda: undo.plan(home.settings, home.name, home.tick()))
    assert home.rows() == FOUR
    assert not decide.plan(home.settings, home.stream, home.tick(), "reprocess", Asked(batch=1)).steps
    home.apply(lambda: reset.plan(home.settings, home.stream, home.now))
    home.run()
    assert home.rows() == FOUR
    assert sum(g.records for g in account.groups(home.layout, home.name)) == len(BAD)
    made = reprocess(home)
    assert [len(lines) for lines in waiting(home).values()] == [len(BAD)]
    take_in(home)
    home.run()
    assert home.rows() == FOUR
    assert made.generation == home.generation == 2


def test_a_reset_before_the_mended_rule_still_gives_each_row_once(strict: Home) -> None:
    """The delivery was accepted. After the reset, both it and the first file could be read. Instead, the
    record is refused again, and reprocessed again."""
    home = strict
    mend(home)
    reprocess(home, Asked(reasons=("items-count",)))
    take_in(home)
    home.run()
    assert home.rows() == FOUR
    home.stream = replace(home.stream, checks=Checks())
    home.apply(lambda: reset.plan(home.settings, home.stream, home.tick()))
    home.run()
    assert home.rows() == Counter(["1-0", "3-0"])
    mend(home)
    reprocess(home, Asked(reasons=("items-count",)))
    assert take_in(home).refused == ()
    home.run()
    assert home.rows() == FOUR


def test_a_reset_waits_for_a_delivery_that_is_not_taken_in(strict: Home) -> None:
    home = strict
    reprocess(home)
    with pytest.raises(Refused, match=r"is not admitted yet .*./caudal run facturas_ficheros first"):
        reset.plan(home.settings, home.stream, home.tick())
    mend(home)
    take_in(home)
    home.apply(lambda: reset.plan(home.settings, home.stream, home.tick()))
    assert not [n for n in home.files(home.layout.en_proceso(home.name)) if n.startswith("reproceso")]
    home.run()
    assert home.rows() == FOUR


def test_a_rewind_is_refused_if_it_would_read_a_record_and_its_delivery_but_not_for_the_delivery_alone(
    strict: Home,
) -> None:
    home = strict
    mend(home)
    reprocess(home)
    take_in(home)
    home.run()
    for keep in (-1, 0):
        with pytest.raises(
            Refused, match=r"refused records of batch 1 were reprocessed.*twice.*--to-batch 1 or later"
        ):
            rewind.plan(home.settings, home.stream, home.tick(), to_batch=keep)
    home.apply(lambda: rewind.plan(home.settings, home.stream, home.now, to_batch=1))
    assert home.rows() == Counter(["1-0", "3-0"])
    home.run()
    assert home.rows() == FOUR


def test_a_rewind_takes_back_the_marks_of_the_records_it_takes_back(strict: Home) -> None:
    home = strict
    home.tick()
    home.apply(lambda: decide.plan(home.settings, home.stream, home.now, "discard", Asked()))
    assert {g.state for g in account.groups(home.layout, home.name)} == {"discarded"}
    home.apply(lambda: rewind.plan(home.settings, home.stream, home.tick(), to_batch=0))
    mend(home)
    home.run()
    assert home.rows() == Counter(["1-0", "3-0", "4-0"])
    assert {(g.batch, g.state) for g in account.groups(home.layout, home.name)} == {
        (0, "discarded"),
        (1, "open"),
    }


def test_records_refused_before_a_rollover_are_reprocessed_after_it_and_a_reset_gives_each_once(
    strict: Home,
) -> None:
    home = strict
    home.apply(lambda: rollover.plan(home.settings, home.stream, home.tick()))
    mend(home)
    reprocess(home)
    take_in(home)
    home.run()
    assert (home.rows(), home.generation) == (FOUR, 2)
    home.archive()
    home.apply(lambda: reset.plan(home.settings, home.stream, home.tick()))
    home.run()
    assert home.rows() == FOUR


def test_equal_lines_are_equal_records_and_a_delivery_is_nobody_s_duplicate(home: Home) -> None:
    """The same line, refused twice in one file and once in another, gives three records. A delivery of that
    very line by a person is none of them."""
    home.stream = replace(home.stream, checks=Checks())
    line = miscounted(2)
    deliver(home, "a", line, invoice(1), line)
    home.run()
    deliver(home, "b", line, invoice(3))
    home.run()
    mend(home)
    reprocess(home)
    assert len(waiting(home)) == 2
    assert take_in(home).refused == ()
    home.run()
    assert home.rows() == Counter({"1-0": 1, "2-0": 3, "3-0": 1})
    deliver(home, "c", line)
    home.run()
    assert home.rows()["2-0"] == 4


def test_reasons_and_time_choose_and_each_choice_is_made_once(strict: Home) -> None:
    home = strict
    later = home.tick()
    assert not decide.plan(home.settings, home.stream, later, "reprocess", Asked(since=later)).steps
    reprocess(home, Asked(reasons=("duplicate-key",)))
    assert list(waiting(home).values()) == [[BAD[3]]]
    reprocess(home, Asked(batch=1))
    assert sorted(functools.reduce(operator.iadd, waiting(home).values(), [])) == sorted(
        [*BAD, miscounted(4).encode()]
    )
    since = refused_records.batches(home.layout, home.name)[1].at
    left = decide.plan(home.settings, home.stream, home.tick(), "discard", Asked(since=since))
    assert not left.steps
    assert [s.batch for s in decide.plan(home.settings, home.stream, home.now, "discard", Asked()).steps] == [
        0
    ]


def test_a_csv_record_is_reprocessed_under_its_own_header_and_one_under_a_wrong_header_never(
    home: Home, tmp_path: Path
) -> None:
    from pyspark.sql.types import LongType, StringType, StructType

    from jobs.core.read.records import Subject

    schema = StructType().add("a", StringType()).add("b", LongType())
    home.stream = Stream("facturas_ficheros", Files("csv", settle_s=0), Files("json"))
    rules = {"too-big": "b > 10"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(home), "subject", Subject(schema, rules))
        patch.setattr("tests.include.housekeeping.homes.facturas.lineas", lambda frame: frame)
        deliver(home, "good.csv", "a,b", "x,1", "y,20")
        deliver(home, "swapped.csv", "b,a", "1,z", "30,b")
        deliver(home, "wrong.csv", "b,c", "1,v")
        home.run()
        patch.setattr(type(home), "subject", Subject(schema, {}))
        made = reprocess(home)
        assert {k.reason.split(":")[0] for k in made.kept} == {"wrong-header"}
        assert sorted(waiting(home).values()) == [[b"b,a", b"30,b"], [b"y,20"]]
        take_in(home)
        home.run()
        parts = sorted(home.layout.salida(home.name).glob("gen=*/batch=*/part-*"))
        rows = [json.loads(line) for part in parts for line in part.read_text().splitlines()]
        assert sorted((r["a"], r["b"]) for r in rows) == [("b", 30), ("x", 1), ("y", 20), ("z", 1)]


def test_refused_files_go_back_to_be_judged_anew_and_duplicates_only_when_asked_for(home: Home) -> None:
    home.stream = replace(home.stream, limits=replace(home.stream.limits, file_bytes=100))
    deliver(home, "big.lock", invoice(1), invoice(2))
    # the row calls such names under way since: what was refused is whole, and comes back under another
    home.stream = replace(
        home.stream, limits=Limits(), source=Files("json", settle_s=0, under_way=(".lock",))
    )
    deliver(home, "small", invoice(3))
    deliver(home, "same", invoice(3))
    home.run()
    made = reprocess(home, Asked(files=True))
    assert [k.reason for k in made.kept] == ["a duplicate: its content is admitted already"]
    take_in(home)
    home.run()
    assert home.rows() == Counter(["1-0", "2-0", "3-0"])
    assert [f.code for f in account.files(home.layout, home.stream)] == ["duplicate"]
    done = home.apply(
        lambda: decide.plan(home.settings, home.stream, home.tick(), "discard", Asked(files=True))
    )
    assert account.files(home.layout, home.stream) == []
    assert len([p for p in (home.layout.retired(home.name) / done.id).rglob("*") if p.is_file()]) == 2
    newest = report.read(next(report.newest(home.layout.runs(home.name))))
    assert newest is not None and newest.records_in == 2
