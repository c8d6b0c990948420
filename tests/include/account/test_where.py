import json
from pathlib import Path

import pytest

from include import settings
from include.account import where
from include.account.where import Found, question
from include.cli.daily import where as verb
from tests.include.intake.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """a.json admitted and archived, b.json admitted, a copy of a refused, c waiting."""
    made = Home(tmp_path / "home")
    made.deliver("a.json", b"1\n2\n")
    made.deliver("b.json", b"3\n")
    first = made.admit().admitted[0]
    made.deliver("copy.json", b"1\n2\n")
    made.admit()
    made.deliver("c.json", b"4\n")
    day = made.layout.archivo("s") / "2027-01-15"
    day.mkdir(parents=True)
    (made.layout.en_proceso("s") / first.name).rename(day / first.name)
    return made


def places(home: Home, text: str) -> list[tuple[str, str]]:
    return [(f.place, f.original_name) for f in where.find(home.layout, [home.stream], question(text))]


def test_a_file_is_found_in_the_folder_where_it_lies(home: Home, tmp_path: Path) -> None:
    assert places(home, "a.json") == [("archivo", "a.json")]
    assert places(home, "b.json") == [("en_proceso", "b.json")]
    assert places(home, "copy.json") == [("cuarentena", "copy.json")]
    assert places(home, "c.json") == [("entrada", "c.json")]
    assert places(home, "/some/folder/b.json") == [("en_proceso", "b.json")]
    assert places(home, "unknown.json") == []
    (tmp_path / "renamed").write_bytes(b"1\n2\n")
    assert places(home, str(tmp_path / "renamed")) == [("archivo", "a.json"), ("cuarentena", "copy.json")]


def test_what_is_known_of_it_is_told(home: Home) -> None:
    [found] = where.find(home.layout, [home.stream], question("b.json"))
    path = home.layout.en_proceso("s") / found.name
    assert found == Found(
        "s",
        "en_proceso",
        str(path),
        "b.json",
        path.name,
        2,
        "2027-01-15T08:00:00.000+00:00",
        1,
        found.content_hash,
    )
    assert where.find(home.layout, [home.stream], question(found.name)) == (found,)
    [refused] = where.find(home.layout, [home.stream], question("copy.json"))
    assert refused.reason.startswith("duplicate: the content of a.json of 2027-01-15T08:00:00Z")
    path.unlink()
    [gone] = where.find(home.layout, [home.stream], question("b.json"))
    assert (gone.place, gone.path, gone.sequence) == ("gone", "", 2)


def test_a_home_that_has_seen_nothing_answers_with_nothing(tmp_path: Path) -> None:
    empty = Home(tmp_path / "none")
    assert places(empty, "a.json") == []
    assert not (tmp_path / "none").exists()


def test_the_verb_prints_lines_then_one_json_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = settings.load({"CAUDAL_HOME": str(tmp_path)})
    monkeypatch.setattr(settings, "load", lambda: home)
    assert verb.command("nothing.json") == 1
    assert "no stream of this home has seen it" in capsys.readouterr().out
    waiting = home.layout.entrada("facturas_ficheros") / "x.json"
    waiting.parent.mkdir(parents=True)
    waiting.write_bytes(b"1\n")
    assert verb.command("x.json", as_json=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "x.json: entrada (waits for intake)"
    last = json.loads(lines[-1])
    assert [(f["stream"], f["place"], f["path"]) for f in last["found"]] == [
        ("facturas_ficheros", "entrada", str(waiting))
    ]


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"reason": 7'])
def test_a_torn_reason_is_no_trace_and_hides_no_file(torn: str, home: Home) -> None:
    [refused] = where.find(home.layout, [home.stream], question("copy.json"))
    beside = Path(f"{refused.path}.reason.json")
    beside.write_text(torn)
    [found] = where.find(home.layout, [home.stream], question(Path(refused.path).name))
    assert (found.place, found.path) == ("cuarentena", refused.path)
    assert found.reason.endswith("cannot be read")
