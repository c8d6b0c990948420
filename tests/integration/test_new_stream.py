"""new-stream adds a stream of Spanish csv to a copy of the checkout.

The stream passes the linters and its own test, is a DAG, runs twice, and gives the rows of Python's csv
reader.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.checkout import Checkout

COLUMNS = ("sensor", "value", "n", "ok", "day", "note")
ADD = (
    "new-stream",
    "mediciones",
    "--from",
    "files:csv",
    "--separator",
    ";",
    "--decimal",
    ",",
    "--date-format",
    "dd/MM/yyyy",
    "--to",
    "files:json",
    "--json",
    "--columns",
    "sensor:string,value:double,n:bigint,ok:boolean,day:date,note:string",
)
GENERATED = [
    "jobs/domain/mediciones.py",
    "tests/jobs/domain/test_mediciones.py",
    "jobs/mediciones.py",
    "include/streams/mediciones.py",
]
NOTES = (
    "plain",
    "with; separator",
    'with "quotes"',
    "ñandú – 東京 🦤",
    " blanks around ",
    "back\\slash",
    "",
    "0",
    "NULL",
    "a'b",
)


def lines(seed: int, count: int) -> str:
    """`count` records with a header, as a Spanish spreadsheet exports them: `12,5`, `28/02/2026`, quotes
    where needed, CRLF. Some have no sensor, some no number."""
    made = random.Random(seed)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for n in range(count):
        sensor = "" if n % 10 == 9 else f"s-{made.randrange(1000)}"
        value = "many" if n % 11 == 10 else repr(made.randrange(-10_000, 10_000) / 8).replace(".", ",")
        writer.writerow(
            [
                sensor,
                value,
                made.choice(["", str(made.randrange(10**12))]),
                made.choice(["true", "false"]),
                "28/02/2026",
                made.choice(NOTES),
            ]
        )
    return text.getvalue()


def reference(text: str) -> Counter[str]:
    """The rows that must come out, by Python's csv reader: typed, without empty values, and without the
    records that must be refused."""
    kinds: dict[str, Any] = {
        "value": lambda word: float(word.replace(",", ".")),
        "n": int,
        "ok": lambda word: word == "true",
        "day": lambda word: "-".join(reversed(word.split("/"))),
    }
    rows = csv.DictReader(io.StringIO(text), delimiter=";")
    kept = [row for row in rows if row["sensor"] and row["value"] != "many"]
    return Counter(canonical({k: kinds.get(k, str)(v) for k, v in row.items() if v != ""}) for row in kept)


def canonical(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


def published(home: Path) -> Counter[str]:
    parts = home.glob("data/salida/mediciones/gen=*/batch=*/part-*")
    return Counter(canonical(json.loads(line)) for part in parts for line in part.read_text().splitlines())


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy in which the command ADD has written the stream `mediciones`, and changed nothing else."""
    made = Checkout.copied(tmp_path_factory.mktemp("new-stream"))
    before = made.files()
    assert made.verb(*ADD)["written"] == [str(made.root / name) for name in GENERATED]
    after = made.files()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == set(GENERATED)
    return made


@pytest.mark.torture
@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(300)
def test_its_rows_are_those_of_pythons_csv_reader_and_a_second_run_finds_nothing(
    copy: Checkout, tmp_path: Path
) -> None:
    texts = [lines(seed, 150) for seed in (1, 2)]
    for number, text in enumerate(texts):
        (tmp_path / f"m{number}.csv").write_text(text, newline="")
    copy.verb("put", "mediciones", *(str(tmp_path / f"m{number}.csv") for number in range(2)), "--json")
    report = copy.verb("run", "mediciones", "--json")
    expected = sum(map(reference, texts), Counter[str]())
    assert published(copy.home) == expected
    assert (report["status"], report["files_admitted"], report["records_in"]) == ("done", 2, 300)
    assert (report["rows_out"], report["quarantined"]) == (expected.total(), 300 - expected.total())
    again = copy.verb("run", "mediciones", "--json")
    assert (again["status"], again["records_in"], again["batches"]) == ("idle", 0, [])
    assert published(copy.home) == expected


def test_what_was_written_passes_the_linter_and_the_type_checker(copy: Checkout) -> None:
    linted = copy.python("-m", "ruff", "check", "--no-cache", *GENERATED)
    assert linted.returncode == 0, linted.stdout
    formatted = copy.python("-m", "ruff", "format", "--no-cache", "--check", *GENERATED)
    assert formatted.returncode == 0, formatted.stdout
    checked = copy.python(
        "-m", "mypy", "--no-incremental", *(name for name in GENERATED if not name.startswith("tests"))
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
@pytest.mark.spark
def test_its_own_test_passes(copy: Checkout) -> None:
    done = copy.python("-m", "pytest", "-q", "-p", "no:cacheprovider", GENERATED[1])
    assert done.stdout.splitlines()[-1].startswith("3 passed"), done.stdout


@pytest.mark.torture
@pytest.mark.slow
def test_it_is_a_dag_with_the_rows_docstring_as_its_page(copy: Checkout, tmp_path: Path) -> None:
    own = {
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }
    done = copy.python(str(copy.root / "tests/dags/parse.py"), str(copy.root / "dags"), **own)
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["errors"] == {}
    dag = facts["dags"]["mediciones"]
    assert (dag["file"], dag["paused"], [task["id"] for task in dag["tasks"]]) == (
        "streams.py",
        False,
        ["run"],
    )
    assert dag["doc_md"].startswith("Records of mediciones from csv files to json files.\n")


def test_a_row_that_does_not_load_is_named_by_doctor_and_the_others_go_on(copy: Checkout) -> None:
    broken = copy.root / "include/streams/roto.py"
    broken.write_text("STREAM = nothing\n")
    try:
        done = copy.python("-m", "include.cli", "doctor", "--quiet")
        wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG  registry")]
    finally:
        broken.unlink()
    assert done.returncode == 1
    assert wrong == [
        "WRONG  registry: include/streams/roto.py does not load: NameError: name 'nothing' is not defined"
        "  -> correct include/streams/roto.py; the other streams go on without it"
    ]


def test_the_same_line_again_is_refused_and_changes_nothing(copy: Checkout) -> None:
    before = copy.files()
    done = copy.python("-m", "include.cli", *ADD)
    assert done.returncode == 64
    told = "'mediciones' cannot be the name: a stream of that name exists [NAME]"
    assert done.stderr == f"caudal: usage: {told} -> the name mediciones_ficheros is free\n"
    assert copy.files() == before


def test_without_a_terminal_nothing_is_asked_and_a_plan_changes_nothing(copy: Checkout) -> None:
    before = copy.files()
    missing = copy.python("-m", "include.cli", "new-stream", "otra")
    assert (missing.returncode, missing.stderr) == (
        64,
        'caudal: usage: the columns are missing [--columns] -> --columns "id:string,amount:double"\n',
    )
    found = copy.verb("new-stream", "otra", "--columns", "id:string", "--plan", "--json")
    assert (len(found["planned"]), found["written"], found["sample"]) == (
        4,
        [],
        '{"id": "uno"}\n{"id": "dos"}\n',
    )
    assert copy.files() == before
