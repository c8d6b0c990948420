"""Runs a lab of Caso 2 in this process, with its samples as the launcher writes them and its row's options;
and the reference, counted from the files."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include import labs
from include.samples import facturas
from jobs.labs.kit.lab import Facts, Lab


def run(
    spark: Any, folder: Path, name: str, say: Callable[[str], None] = lambda _: None, **options: str
) -> Facts:
    row = labs.get(name)
    values = row.values(options)
    assert row.sample is not None
    (folder / "muestras").mkdir()
    for file, text in row.sample(values).items():
        (folder / file).write_text(text)
    lab = Lab(spark.newSession(), folder, values, say=say)
    return importlib.import_module(f"jobs.labs.{row.program}").run(lab)


def lines_of(*files: Path) -> int:
    """Invoice lines in sample files, by plain Python."""
    return sum(
        len(facturas.lines_of(document)) for file in files for document in file.read_text().splitlines()
    )


def samples(folder: Path) -> list[Path]:
    return sorted((folder / "muestras").iterdir())
