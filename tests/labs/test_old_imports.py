"""Notebook copies of a home made before the course's modules moved: their imports are rewritten, and nothing
else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.labs import old_imports

# every import of a course module that the notebooks had, as they stood in the commit before the move
BEFORE = """\
from jobs.core import cuaderno
from jobs.contract.ends import Memory, Socket, Way
from jobs.core import line_server
from jobs.domain import palabras
from include.samples import facturas as muestras
from jobs.core.lab_files import deliver
from jobs.core import progress
from jobs.contract.ends import Folder, Subscription, Way
from jobs.core import sources
"""
NOW = """\
from jobs.labs.kit import notebook as cuaderno
from jobs.labs.declared.ends import Memory, Socket, Pipeline as Way
from jobs.labs.kit import line_server
from jobs.domain import palabras
from include.samples import facturas as muestras
from jobs.labs.kit.files import deliver
from jobs.labs.kit import progress
from jobs.labs.declared.ends import Folder, Subscription, Pipeline as Way
from jobs.labs.kit import sources
"""
OF_MY_OWN = (
    "way = Way(source, sink)  # from jobs.core import progress\nx = 'from jobs.contract.ends import Way'\n"
)


def written(path: Path, source: list[str]) -> dict[str, Any]:
    code = {"cell_type": "code", "metadata": {}, "outputs": [{"text": BEFORE}], "source": source}
    prose = {"cell_type": "markdown", "metadata": {}, "source": [BEFORE]}
    notebook: dict[str, Any] = {"cells": [prose, code], "metadata": {"ñ": 1}, "nbformat": 4}
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return notebook


def test_every_import_of_the_notebooks_is_rewritten_and_nothing_else_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "01-palabras.ipynb"
    notebook = written(path, (BEFORE + OF_MY_OWN).splitlines(keepends=True))
    written(tmp_path / "nuevo.ipynb", NOW.splitlines(keepends=True))
    assert old_imports.renew(tmp_path) == ["01-palabras.ipynb"]
    notebook["cells"][1]["source"] = (NOW + OF_MY_OWN).splitlines(keepends=True)
    assert path.read_text(encoding="utf-8") == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    assert old_imports.renew(tmp_path) == []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("from jobs.core import mongo as m  # mío", "from jobs.labs.kit import mongo as m  # mío"),
        ("    from jobs.core import lab_files", "    from jobs.labs.kit import files as lab_files"),
        (
            "from jobs.contract.ends import (\n    Folder,\n    Way,\n)",
            "from jobs.labs.declared.ends import (\n    Folder,\n    Pipeline as Way,\n)",
        ),
        ("from jobs.core import session", "from jobs.core import session"),
        ("from jobs.contract.errors import UsageError", "from jobs.contract.errors import UsageError"),
    ],
)
def test_an_import_keeps_the_name_that_it_binds_and_its_comment(before: str, now: str) -> None:
    assert old_imports.renewed(before) == now


def test_what_the_rewritten_imports_name_is_there() -> None:
    exec(compile(NOW, "cell", "exec"), {})  # noqa: S102 - the imports of the notebooks, written above


def test_a_file_that_is_not_a_notebook_is_left_alone(tmp_path: Path) -> None:
    for number, text in enumerate(
        ("{}", "not json", "[]", '{"cells": 1}', '{"cells": [{"cell_type": "code"}]}')
    ):
        (tmp_path / f"{number}.ipynb").write_text(text)
    assert old_imports.renew(tmp_path) == []
    assert (tmp_path / "0.ipynb").read_text() == "{}"
