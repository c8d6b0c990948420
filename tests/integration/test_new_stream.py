"""A CSV stream added to a copy of the checkout: linted, tested, listed as a DAG, run twice, and its rows compared with Python's own csv reader."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include import settings as caudal
from include.services import airflow, ports
from include.services.rest import Rest

COPIED = ("dags", "include", "jobs", "jvm", "tests/dags", "tests/conftest.py", "pyproject.toml", "requirements.txt", "vendor")
COLUMNS = ("sensor", "value", "n", "ok", "day", "note")
ADD = ("new-stream", "mediciones", "--from", "files:csv", "--separator", ";", "--to", "files:json", "--json",
       "--columns", "sensor:string,value:double,n:bigint,ok:boolean,day:date,note:string")  # fmt: skip
GENERATED = ["jobs/domain/mediciones.py", "tests/jobs/domain/test_mediciones.py", "jobs/mediciones.py", "include/streams/mediciones.py"]
NOTES = ("plain", "with; separator", 'with "quotes"', "ñandú – 東京 🦤", " blanks around ", "back\\slash", "", "0", "NULL", "a'b")


def lines(seed: int, count: int) -> str:
    """`count` records with a header, as a spreadsheet exports them: quoted where needed, CRLF; some have no sensor, some no number."""
    made = random.Random(seed)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for n in range(count):
        sensor = "" if n % 10 == 9 else f"s-{made.randrange(1000)}"
        value = "many" if n % 11 == 10 else repr(made.randrange(-10_000, 10_000) / 8)
        writer.writerow(
            [sensor, value, made.choice(["", str(made.randrange(10**12))]), made.choice(["true", "false"]), "2026-02-28", made.choice(NOTES)]
        )
    return text.getvalue()


def reference(text: str) -> Counter[str]:
    """The rows that must come out, by Python's csv reader: typed, without what is empty, and without the records that must be refused."""
    kinds: dict[str, Any] = {"value": float, "n": int, "ok": lambda word: word == "true"}
    rows = csv.DictReader(io.StringIO(text), delimiter=";")
    kept = [row for row in rows if row["sensor"] and row["value"] != "many"]
    return Counter(canonical({k: kinds.get(k, str)(v) for k, v in row.items() if v != ""}) for row in kept)


def canonical(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


def published(home: Path) -> Counter[str]:
    parts = home.glob("data/salida/mediciones/gen=*/batch=*/part-*")
    return Counter(canonical(json.loads(line)) for part in parts for line in part.read_text().splitlines())


class Copy:
    """A copy of the checkout with a home of its own; the verbs run in it as ./caudal runs them."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home = folder / "copy", folder / "home"
        for part in COPIED:
            target = self.root / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if (caudal.ROOT / part).is_dir():
                shutil.copytree(caudal.ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(caudal.ROOT / part, target)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUDAL_", "AIRFLOW"))}
        own = {"CAUDAL_HOME": self.home, "CAUDAL_CACHE": caudal.load().cache, "PYTHONPATH": self.root, "NO_COLOR": "1"}
        self.environ = kept | {k: str(v) for k, v in own.items()}

    def python(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-P", *words]
        return subprocess.run(
            line, cwd=self.root, env=self.environ | more, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False
        )

    def verb(self, *words: str) -> dict[str, Any]:
        done = self.python("-m", "include.cli", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def files(self) -> dict[str, bytes]:
        """The checkout's own files: no cache, nothing hidden."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        names = {str(path.relative_to(self.root)): path for path in found}
        return {name: path.read_bytes() for name, path in names.items() if "__pycache__" not in name and not name.startswith(".")}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The copy, and in it the stream `mediciones`, written by the one line ADD; nothing else has changed."""
    made = Copy(tmp_path_factory.mktemp("new-stream"))
    before = made.files()
    assert made.verb(*ADD)["written"] == [str(made.root / name) for name in GENERATED]
    after = made.files()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == set(GENERATED)
    return made


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(300)
def test_its_rows_are_those_of_pythons_csv_reader_and_a_second_run_finds_nothing(copy: Copy, tmp_path: Path) -> None:
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


def test_what_was_written_passes_the_linter_and_the_type_checker(copy: Copy) -> None:
    linted = copy.python("-m", "ruff", "check", "--no-cache", *GENERATED)
    assert linted.returncode == 0, linted.stdout
    formatted = copy.python("-m", "ruff", "format", "--no-cache", "--check", *GENERATED)
    assert formatted.returncode == 0, formatted.stdout
    checked = copy.python("-m", "mypy", "--no-incremental", *(name for name in GENERATED if not name.startswith("tests")))
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
@pytest.mark.spark
def test_its_own_test_passes(copy: Copy) -> None:
    done = copy.python("-m", "pytest", "-q", "-p", "no:cacheprovider", GENERATED[1])
    assert done.stdout.splitlines()[-1].startswith("2 passed"), done.stdout


@pytest.mark.slow
def test_it_is_a_dag_with_the_rows_docstring_as_its_page(copy: Copy, tmp_path: Path) -> None:
    own = {"AIRFLOW_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db"}
    done = copy.python(str(copy.root / "tests/dags/parse.py"), str(copy.root / "dags"), **own)
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["errors"] == {}
    dag = facts["dags"]["mediciones"]
    assert (dag["file"], dag["paused"], [task["id"] for task in dag["tasks"]]) == ("streams.py", False, ["run"])
    assert dag["doc_md"].startswith("Records of mediciones from csv files to json files.\n")


def test_a_row_that_does_not_load_is_named_by_doctor_and_the_others_go_on(copy: Copy) -> None:
    broken = copy.root / "include/streams/roto.py"
    broken.write_text("STREAM = nothing\n")
    try:
        done = copy.python("-m", "include.cli", "doctor", "--quiet")
        wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG  registry")]
    finally:
        broken.unlink()
    assert done.returncode == 1
    assert wrong == ["WRONG  registry: include/streams/roto.py does not load: NameError: name 'nothing' is not defined"
                     "  -> mend include/streams/roto.py; the other streams go on without it"]  # fmt: skip


def test_the_same_line_again_is_refused_and_changes_nothing(copy: Copy) -> None:
    before = copy.files()
    done = copy.python("-m", "include.cli", *ADD)
    assert done.returncode == 64
    assert done.stderr == "caudal: usage: 'mediciones' cannot be the name: a stream of that name exists [NAME] -> choose another name\n"
    assert copy.files() == before


def test_without_a_terminal_nothing_is_asked_and_a_plan_changes_nothing(copy: Copy) -> None:
    before = copy.files()
    missing = copy.python("-m", "include.cli", "new-stream", "otra")
    assert (missing.returncode, missing.stderr) == (
        64, 'caudal: usage: the columns are missing [--columns] -> --columns "id:string,amount:double"\n',
    )  # fmt: skip
    found = copy.verb("new-stream", "otra", "--columns", "id:string", "--plan", "--json")
    assert (len(found["planned"]), found["written"], found["sample"]) == (4, [], '{"id": "uno"}\n{"id": "dos"}\n')
    assert copy.files() == before


LISTED_S = 15.0  # 2 s on a free machine: new-stream asks Airflow to read the registry again at once


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Copy, Rest]]:
    """A copy of its own with its Airflow and broker up, and Airflow's REST client."""
    made = Copy(tmp_path)
    try:
        made.verb("up", "--json")
        settings = caudal.load(made.environ)
        chosen = ports.remembered(settings)
        assert chosen
        yield made, airflow.client(settings, chosen)
    finally:
        made.verb("down", "--json")


def wrong(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(f["check"], f["what"]) for f in found["findings"] if f["state"] == "wrong"]


def until(look: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


@pytest.mark.airflow
@pytest.mark.broker
@pytest.mark.spark
@pytest.mark.timeout(600)
def test_in_a_running_airflow_it_appears_within_seconds_runs_and_doctor_names_what_is_broken(running: tuple[Copy, Rest]) -> None:
    copy, rest = running
    copy.verb(*ADD)
    until(lambda: "mediciones" in rest.dags(), LISTED_S)
    text = lines(3, 40)
    source = copy.home / "m.csv"
    source.write_text(text, newline="")
    copy.verb("put", "mediciones", str(source), "--json")
    run = rest.trigger("mediciones")
    assert rest.wait({"mediciones": run}, 240, lambda _: None) == {"mediciones": "success"}
    assert published(copy.home) == reference(text)

    sound = copy.python("-m", "include.cli", "doctor", "--json")
    found = json.loads(sound.stdout.splitlines()[-1])
    assert wrong(found) == []
    assert {f["state"] for f in found["findings"] if f["check"] in ("service", "broker", "topics", "DAGs")} == {"ok"}
    (copy.root / "dags" / "rota.py").write_text('"""A broken DAG of Airflow."""\n\nimport nothing_of_that_name\n')
    until(lambda: rest.import_errors(), 60)
    broken = copy.python("-m", "include.cli", "doctor", "--json")
    assert broken.returncode == 1
    assert ("DAGs", "rota.py does not load: ModuleNotFoundError: No module named 'nothing_of_that_name'") in wrong(
        json.loads(broken.stdout.splitlines()[-1])
    )
