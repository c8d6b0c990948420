"""The plan of a new stream's files, and that they come all or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.scaffold import request, write
from include.scaffold.request import Words
from jobs.contract.errors import Refused

WORDS = Words(
    "mediciones", "files:csv", "files:json", "sensor:string,at:timestamp,value:double", separator=";"
)
FILES = [
    "jobs/domain/mediciones.py",
    "tests/jobs/domain/test_mediciones.py",
    "jobs/mediciones.py",
    "include/streams/mediciones.py",
]


def planned(root: Path, words: Words = WORDS) -> tuple[write.NewFile, ...]:
    return write.plan(request.check(words, root, {}), root)


def found(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_planning_writes_nothing_and_applying_writes_four_files_the_row_last(tmp_path: Path) -> None:
    files = planned(tmp_path)
    assert [str(file.path.relative_to(tmp_path)) for file in files] == FILES
    assert found(tmp_path) == set()
    assert write.apply(files) == [tmp_path / name for name in FILES]
    assert {name: (tmp_path / name).read_text() for name in FILES} == {
        name: file.text for name, file in zip(FILES, files, strict=True)
    }


def test_the_row_says_where_from_where_to_and_only_what_differs_from_the_defaults(tmp_path: Path) -> None:
    row = planned(tmp_path)[-1].text
    assert row.endswith(
        'STREAM = Stream(\n    name="mediciones",\n    source=Files("csv", separator=";"),\n    '
        'sink=Files("json"),\n)\n'
    )
    assert "```\nsensor;at;value\nuno;2026-01-10T12:30:00Z;1.5\ndos;2026-01-20T12:30:00Z;2.5\n```\n" in row
    kafka = planned(
        tmp_path,
        replace(
            WORDS,
            source="kafka:lecturas:csv",
            separator=",",
            sink="topic:avisos:sensor",
            schedule="0 7 * * 1",
        ),
    )[-1].text
    assert kafka.endswith(
        '    source=Topic("lecturas", format="csv"),\n    sink=Topic("avisos", key="sensor"),\n    '
        'schedule="0 7 * * 1",\n)\n'
    )


def test_a_file_that_exists_with_another_text_refuses_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "mediciones.py").write_text("mine\n")
    with pytest.raises(Refused, match="nothing is overwritten") as caught:
        planned(tmp_path)
    assert caught.value.where == str(tmp_path / "jobs" / "mediciones.py")
    assert caught.value.what == "there is another mediciones.py already; nothing is overwritten"
    assert caught.value.way_cli == "the name mediciones_ficheros is free"
    assert found(tmp_path) == {"jobs/mediciones.py"}


def test_a_file_that_appears_between_plan_and_apply_leaves_nothing_of_ours(tmp_path: Path) -> None:
    files = planned(tmp_path)
    (tmp_path / "include" / "streams").mkdir(parents=True)
    (tmp_path / "include" / "streams" / "mediciones.py").write_text("mine\n")
    with pytest.raises(Refused, match="was created meanwhile"):
        write.apply(files)
    assert found(tmp_path) == {"include/streams/mediciones.py"}
    assert (tmp_path / "include" / "streams" / "mediciones.py").read_text() == "mine\n"


def test_a_call_that_was_cut_short_is_finished_by_the_next(tmp_path: Path) -> None:
    write.apply(planned(tmp_path)[:2])
    files = planned(tmp_path)
    assert [file.present for file in files] == [True, True, False, False]
    assert write.apply(files) == [tmp_path / name for name in FILES[2:]]


def test_sixty_columns_give_lines_that_the_linter_takes(tmp_path: Path) -> None:
    many = ",".join(
        f"a_rather_long_column_{n}:{kind}"
        for n, kind in enumerate(["string", "timestamp", "decimal(12,3)"] * 20)
    )
    texts = [file.text for file in planned(tmp_path, replace(WORDS, columns=many))]
    assert max(len(line) for text in texts for line in text.splitlines()) <= 150
    for text in texts:
        compile(text, "generated", "exec")
