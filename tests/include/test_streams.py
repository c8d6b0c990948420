"""The registry: what is there, and that one broken file leaves the others up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include import streams
from jobs.contract.errors import BrokenStream, UnknownStream
from jobs.contract.stream import Files, Published, Topic

OURS = [
    "facturas_ficheros",
    "facturas_kafka",
    "notificaciones",
    "temperaturas",
    "temperaturas_maxima",
    "temperaturas_ventanas",
]
GOOD = '''"""{doc}"""
from jobs.contract.stream import Files, Stream
STREAM = Stream(name="{name}", source=Files(folder="{folder}"), sink=Files())
'''
AddFile = Callable[[str, str], None]


@pytest.fixture
def add_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddFile]:
    """Adds a file to the registry for one test: (name, text)."""
    streams.collect()  # loads what is there, so that only what a test adds is forgotten at its end
    before = set(sys.modules)
    monkeypatch.setattr(streams, "__path__", [*streams.__path__, str(tmp_path)])
    streams.collect.cache_clear()

    def add(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    yield add
    for module in set(sys.modules) - before:
        if module.startswith("include.streams."):
            del sys.modules[module]
            vars(streams).pop(module.rpartition(".")[2], None)
    streams.collect.cache_clear()


def known() -> list[str]:
    """Names of the streams of this checkout: ours, and whatever `new-stream` has added."""
    return sorted(p.stem for p in Path(str(streams.__file__)).parent.glob("*.py") if p.stem != "__init__")


def test_our_streams_are_the_courses_cases() -> None:
    found, broken = streams.collect()
    assert (set(OURS) - set(found), broken) == (set(), ())
    assert list(found) == sorted(found)
    assert isinstance(found["facturas_ficheros"].source, Files)
    assert found["facturas_kafka"].source == Topic("facturas")
    assert found["notificaciones"].sink == Topic("notificaciones", key="InvoiceNumber")


def test_every_stream_carries_its_manual() -> None:
    for stream in map(streams.get, OURS):
        assert all(f"**{word}" in stream.doc for word in ("Source", "Sink", "Guarantee", "When it is red")), (
            stream.name
        )


def test_a_file_is_a_stream_and_its_docstring_the_manual(add_file: AddFile) -> None:
    add_file("aaa", GOOD.format(doc="How to.\n", name="aaa", folder="aaa"))
    found, broken = streams.collect()
    assert (list(found), broken) == (sorted(["aaa", *known()]), ())
    assert streams.get("aaa").doc == "How to."


BROKEN = {
    "syntax": "STREAM = (",
    "raises": "1 / 0",
    "imports nothing": "import no_such_module_at_all",
    "no row": "x = 1",
    "no stream": "STREAM = {'name': 'aaa'}",
    "another's name": GOOD.format(doc="", name="bbb", folder="aaa"),
    "hostile name": GOOD.format(doc="", name="../aaa", folder="aaa"),
    "hostile folder": GOOD.format(doc="", name="aaa", folder="../aaa"),
    "not UTF-8": "",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_leaves_the_others_up_and_is_named(
    kind: str, add_file: AddFile, tmp_path: Path
) -> None:
    add_file("aaa", BROKEN[kind])
    if kind == "not UTF-8":
        (tmp_path / "aaa.py").write_bytes(b"x = '\xff'")
    found, broken = streams.collect()
    assert list(found) == known()
    assert [error.where for error in broken] == ["include/streams/aaa.py"]
    assert str(broken[0]).count("\n") == 0
    with pytest.raises(BrokenStream) as caught:
        streams.get("aaa")
    assert caught.value is broken[0]
    assert streams.get(OURS[0]).name == OURS[0]


@pytest.mark.parametrize("folder", OURS[:1])
def test_a_folder_feeds_one_stream_the_first_by_name(folder: str, add_file: AddFile) -> None:
    add_file("zzz", GOOD.format(doc="", name="zzz", folder=folder))
    found, broken = streams.collect()
    assert list(found) == known()
    assert [error.what for error in broken] == [f"folder {folder} already feeds {folder}"]


READER = '''"""How to."""
from jobs.contract.stream import Files, Published, Stream
STREAM = Stream(name="{name}", source=Published("{of}"), sink=Files("parquet"), stateful=True)
'''


def test_a_reader_of_a_published_stream_learns_how_its_files_are_written(add_file: AddFile) -> None:
    add_file("aaa", READER.format(name="aaa", of="bbb"))
    add_file("bbb", READER.format(name="bbb", of="facturas_ficheros"))
    assert streams.get("aaa").source == Published("bbb", Files("parquet"))
    assert streams.get("bbb").source == Published("facturas_ficheros", Files("json"))
    assert (streams.readers("bbb"), streams.readers("aaa")) == (["aaa"], [])


def test_a_reader_that_cannot_read_is_named_with_its_own_readers_and_leaves_the_others_up(
    add_file: AddFile,
) -> None:
    add_file("aaa", READER.format(name="aaa", of="bbb"))
    add_file("bbb", READER.format(name="bbb", of="nosuch"))
    add_file("ccc", READER.format(name="ccc", of="ddd"))
    add_file("ddd", READER.format(name="ddd", of="ccc"))
    add_file("eee", READER.format(name="eee", of="notificaciones"))
    add_file(
        "fff",
        GOOD.format(doc="", name="fff", folder="fff").replace("sink=Files()", "sink=Files(), stateful=True"),
    )
    found, broken = streams.collect()
    assert list(found) == known()
    assert {error.where.rpartition("/")[2]: error.what.partition(":")[0] for error in broken} == {
        "aaa.py": "it reads what nosuch publishes, and no stream of that name is registered and loads",
        "bbb.py": "it reads what nosuch publishes, and no stream of that name is registered and loads",
        "ccc.py": "it reads itself, by way of ddd",
        "ddd.py": "it reads what ccc publishes, and no stream of that name is registered and loads",
        "eee.py": "notificaciones publishes no files",
        "fff.py": "strict reading keeps no state",
    }


@pytest.mark.parametrize("name", ["nosuch", "", "../x", "facturas_ficheros.py", "__init__"])
def test_an_unknown_stream_is_said_with_the_way_to_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownStream) as caught:
        streams.get(name)
    assert "./caudal status" in str(caught.value)
