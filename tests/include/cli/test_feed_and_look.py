"""put, sample, produce, consume, topics, show as typed: the real program, the real broker, exact words and
exit codes."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.samples import bizums, facturas
from include.settings import ROOT, Settings
from jobs.contract.commit.manifest import Manifest, OutputFile
from jobs.contract.disk.layout import MANIFEST, Layout


class Caudal:
    """Runs verbs in one home against one broker ('' for none)."""

    def __init__(self, home: Path, bootstrap: str = "") -> None:
        self.home = home
        keep = {k: v for k, v in os.environ.items() if not k.startswith("CAUDAL_KAFKA")}
        self.environ = {
            **keep,
            "CAUDAL_HOME": str(home),
            "CAUDAL_KAFKA_BOOTSTRAP": bootstrap,
            "NO_COLOR": "1",
        }

    def __call__(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "include.cli", *words]
        return subprocess.run(
            argv,
            cwd=ROOT,
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def data(self, *words: str, given: str = "") -> dict[str, Any]:
        """The object of --json, after exit 0."""
        done = self(*words, "--json", given=given)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def entrada(self) -> list[Path]:
        return sorted(Layout(self.home).entrada("facturas_ficheros").iterdir())


@pytest.fixture
def caudal(tmp_path: Path) -> Caudal:
    return Caudal(tmp_path / "home")


@pytest.fixture
def with_broker(tmp_path: Path, broker: Settings) -> Caudal:
    return Caudal(tmp_path / "home", broker.kafka_bootstrap)


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """One line on stderr with these words, nothing on stdout, this exit code."""
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done
    assert all(word in done.stderr for word in words), done.stderr


def test_put_says_where_each_file_went_and_when_a_name_was_taken(caudal: Caudal, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"a":1}\n')
    done = caudal("put", "facturas_ficheros", str(tmp_path / "f.json"), str(tmp_path / "f.json"))
    first, second = caudal.entrada()[1], caudal.entrada()[0]
    assert (first.name, second.name) == ("f.json", "f-2.json")
    why = "(the name f.json is taken, hidden, or used by a delivery under way)"
    assert done.stdout.splitlines() == [f"put {first}  8 bytes", f"put {second}  8 bytes  {why}"]
    assert done.returncode == 0


def test_put_copies_nothing_when_one_of_the_files_is_unfit(caudal: Caudal, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text("{}")
    refused(
        caudal("put", "facturas_ficheros", str(tmp_path / "f.json"), str(tmp_path / "none")),
        64,
        "no such file",
        str(tmp_path / "none"),
    )
    refused(
        caudal("put", "facturas_ficheros", str(tmp_path)),
        64,
        "a folder",
        f"./caudal put facturas_ficheros {tmp_path}/*",
    )
    assert not Layout(caudal.home).entrada("facturas_ficheros").exists()


def test_put_for_a_kafka_stream_points_to_produce_and_unknown_streams_are_named(
    caudal: Caudal, tmp_path: Path
) -> None:
    (tmp_path / "f.json").write_text("{}")
    refused(
        caudal("put", "facturas_kafka", str(tmp_path / "f.json")),
        64,
        "reads the topic facturas",
        "./caudal produce facturas --file FILE",
    )
    refused(caudal("put", "nada", str(tmp_path / "f.json")), 64, "unknown-stream", "'nada'")
    refused(caudal("show", "nada"), 64, "unknown-stream", "'nada'")
    refused(caudal("sample", "nada"), 64, "unknown-stream", "'nada'")


def test_sample_puts_the_invoices_it_counts(caudal: Caudal) -> None:
    found = caudal.data("sample", "facturas_ficheros", "--count", "25", "--seed", "9", "--files", "2")
    documents = [line for path in found["places"] for line in Path(path).read_text().splitlines()]
    assert documents == list(facturas.documents(25, 9, found["start_ms"]))
    assert found["totals"] == facturas.totals_of(documents).to_json()
    assert [str(p) for p in caudal.entrada()] == found["places"]


def test_sample_gives_temperatures_to_their_own_stream_and_points_a_reader_of_it_there(
    caudal: Caudal,
) -> None:
    refused(
        caudal("sample", "temperaturas_ventanas"),
        64,
        "reads what temperaturas publishes",
        "./caudal sample temperaturas",
    )
    refused(
        caudal("put", "temperaturas_ventanas", "x"),
        64,
        "reads what temperaturas has published",
        "./caudal produce temperaturas --file FILE",
    )


def test_sample_gives_bizums_to_their_stream_and_counts_what_will_be_refused(caudal: Caudal) -> None:
    found = caudal.data("sample", "bizums", "--count", "40", "--seed", "2")
    lines = Path(found["places"][0]).read_text().splitlines()
    assert lines == list(bizums.lines(40, 2))
    assert found["totals"]["rows"] == sum(bizums.good(line) is not None for line in lines)
    assert found["totals"]["blank"] == lines.count("")
    assert (
        sum(found["totals"][part] for part in ("rows", "refused", "blank")) == found["totals"]["lines"] == 40
    )


def test_show_before_the_first_run_says_what_to_do(caudal: Caudal) -> None:
    done = caudal("show", "facturas_ficheros")
    hint = (
        "facturas_ficheros has published nothing yet  -> ./caudal sample facturas_ficheros, then "
        "./caudal run facturas_ficheros"
    )
    assert (done.returncode, done.stdout.splitlines()) == (0, [hint, "no run yet"])


def test_show_prints_the_newest_rows_and_the_counts(caudal: Caudal) -> None:
    folder = Layout(caudal.home).batch("facturas_ficheros", 1, 0)
    folder.mkdir(parents=True)
    (folder / "part-0.json").write_text('{"id":"a"}\n{"id":"b","City":"Dehri\\u001b[31m"}\n')
    made = Manifest(
        "facturas_ficheros", "q", 1, 0, "d", {}, {}, (OutputFile("part-0.json", 1, "", 2),), 2, 2, 0, "", "r"
    )
    (folder / MANIFEST).write_bytes(made.to_json())
    done = caudal("show", "facturas_ficheros", "--rows", "1")
    assert done.stdout.splitlines()[:2] == ["id  City", "b   Dehri\\x1b[31m"]
    assert (
        "facturas_ficheros: 1 batches, 2 records in, 2 rows out, 0 quarantined; exactly-once" in done.stdout
    )
    assert caudal.data("show", "facturas_ficheros")["newest"] == [
        {"id": "a", "City": None},
        {"id": "b", "City": "Dehri\x1b[31m"},
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("consume", "facturas"),
        ("produce", "facturas"),
        ("topics", "list"),
        ("topics", "create"),
        ("show", "notificaciones"),
    ],
)
def test_without_a_broker_each_verb_says_so_in_one_line(caudal: Caudal, words: tuple[str, ...]) -> None:
    refused(caudal(*words), 69, "broker-down: this home has no running broker", "./caudal up")


@pytest.mark.broker
def test_the_registry_s_topics_are_made_once_and_listed_with_their_streams(with_broker: Caudal) -> None:
    first = with_broker.data("topics", "create")
    again = with_broker.data("topics", "create")
    assert {*first["created"], *first["existing"]} == {
        "caudal-tokens-notificaciones",
        "facturas",
        "notificaciones",
        "temperaturas",
    }
    there = ["caudal-tokens-notificaciones", "facturas", "notificaciones", "temperaturas"]
    assert (again["created"], again["existing"], again["differences"]) == ([], there, [])
    listed = with_broker.data("topics", "list")
    assert {t["topic"]: t["streams"] for t in listed["topics"]}.items() >= {
        "notificaciones": ["notificaciones"]
    }.items()
    assert listed["missing"] == []


@pytest.mark.broker
def test_lines_produced_are_consumed_with_key_and_place(with_broker: Caudal) -> None:
    with_broker("topics", "create")
    before = with_broker.data("consume", "notificaciones")["count"]
    sent = with_broker.data(
        "produce", "notificaciones", "--key-field", "n", given='{"n":"año"}\n\n{"n":"\\u001b"}\n'
    )
    assert (sent["topic"], sent["records"]) == ("notificaciones", 2)
    found = with_broker.data("consume", "notificaciones", "--last", "2")
    assert {(r["key"], r["value"]) for r in found["records"]} == {
        ("año", '{"n":"año"}'),
        ("\x1b", '{"n":"\\u001b"}'),
    }
    assert with_broker.data("consume", "notificaciones")["count"] == before + 2
    assert len(with_broker("consume", "notificaciones", "--max", "1").stdout.splitlines()) == 1
    shown = with_broker.data("show", "notificaciones", "--rows", "2")
    assert {r["InvoiceNumber"] for r in shown["newest"]} == {"año", "\x1b"}


@pytest.mark.broker
def test_a_file_is_produced_as_it_would_be_taken_in(with_broker: Caudal, tmp_path: Path) -> None:
    """Packed or not, marked or not, with any line end; so that the field of the first record can be its
    key."""
    with_broker("topics", "create")
    mark, rows = b"\xef\xbb\xbf", [b'{"n":"uno"}', b"", b'{"n":"dos"}', b'{"n":"tr\xef\xbb\xbfes"}']
    text = b"".join(mark + row + b"\r\n" for row in rows)
    files = {
        "a.json": text,
        "a.json.gz": gzip.compress(mark + text),
        "a.json.bz2": bz2.compress(text),
        "": text,
    }
    for name, data in files.items():
        (tmp_path / (name or "x")).write_bytes(data)
        given = (
            {"words": ("--file", str(tmp_path / name)), "given": ""}
            if name
            else {"words": (), "given": text.decode()}
        )
        sent = with_broker.data(
            "produce", "notificaciones", "--key-field", "n", *given["words"], given=given["given"]
        )
        assert sent["records"] == 3
        found = with_broker.data("consume", "notificaciones", "--last", "3")["records"]
        assert {(r["key"], r["value"]) for r in found} == {
            (k, f'{{"n":"{k}"}}') for k in ("uno", "dos", "tr\ufeffes")
        }


@pytest.mark.broker
def test_what_is_no_text_is_not_produced(with_broker: Caudal, tmp_path: Path) -> None:
    with_broker("topics", "create")
    before = with_broker.data("consume", "notificaciones")["count"]
    packed, rows = gzip.compress(b'{"n":"a"}\n' * 99), '{"n":"año"}\n{"n":"b"}\n'
    for name, data, told in [
        ("a.json", packed, "the content is gzip"),
        ("b.json.gz", packed[:-9], "the file cannot be read: compressed file ended"),
        ("c.json.bz2", packed, "the file cannot be read: invalid data stream"),
        ("d.json", rows.encode("utf-16"), "the content is UTF-16"),
        ("e.json", rows.encode("utf-16-le"), "the content is UTF-16"),
    ]:
        (tmp_path / name).write_bytes(data)
        refused(with_broker("produce", "notificaciones", "--file", str(tmp_path / name)), 64, told)
    found = with_broker.data("consume", "notificaciones")["count"] - before
    assert found in (0, 99)  # of the torn one what could be unpacked was sent, and the error says how many


@pytest.mark.broker
def test_sample_produces_to_the_topic_of_a_kafka_stream(with_broker: Caudal) -> None:
    with_broker("topics", "create")
    made = with_broker.data("sample", "facturas_kafka", "--count", "30", "--seed", "77")
    wanted = set(facturas.documents(30, 77, made["start_ms"]))
    records = with_broker.data("consume", "facturas")["records"]
    assert {r["value"] for r in records if r["value"] in wanted} == wanted
    assert all(json.loads(r["value"])["InvoiceNumber"] == r["key"] for r in records if r["value"] in wanted)


@pytest.mark.broker
def test_what_cannot_be_produced_or_consumed_is_refused_in_one_line(
    with_broker: Caudal, tmp_path: Path
) -> None:
    with_broker("topics", "create")
    refused(
        with_broker("consume", "nada"),
        69,
        "topic-missing: no topic nada [",
        "-> ./caudal topics list shows the topics",
    )
    meant = "no topic notificacion. Did you mean 'notificaciones'"
    refused(with_broker("produce", "notificacion", given="x\n"), 69, meant, "-> ./caudal topics list")
    refused(
        with_broker("consume", "facturas_kafka"),
        64,
        "is a stream, not a topic",
        "./caudal consume facturas",
        "./caudal show facturas_kafka",
    )
    for name in ("two words", "", "ñ", "x" * 300):
        refused(with_broker("consume", name), 64, "cannot be a topic", "./caudal topics list")
    refused(
        with_broker("produce", "facturas", "--file", str(tmp_path / "none")), 64, "no such file or directory"
    )
    refused(with_broker("produce", "facturas", "--file", str(tmp_path)), 64, "is a directory")
    refused(
        with_broker("produce", "facturas", "--key-field", "n", given="[]\n"),
        64,
        "line 1 is not a JSON object with a field n",
    )
