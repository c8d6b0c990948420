"""The wing of the course, which the engine does not import; and its labs, collected from the files below
rows/.

A file has a docstring and one LAB, or LABS for several. A broken file does not keep the others from loading.

The program of a lab is the file of the same group and name in jobs/labs.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from jobs.contract.errors import BrokenStream, UsageError
from jobs.labs.declared.castellano import pista
from jobs.labs.declared.lab import Lab

ROWS = f"{__name__}.rows"


def _load(module: str) -> list[Lab]:
    """The labs of one file. Raises BrokenStream, whose `where` is the file."""
    path = module.replace(".", "/") + ".py"
    group, _, name = module.removeprefix(f"{ROWS}.").rpartition(".")
    try:
        rows = importlib.import_module(module)
        labs = list(rows.LABS) if hasattr(rows, "LABS") else [rows.LAB]
    except (Exception, SystemExit) as error:  # whatever a user's file raises is an error of that file alone
        raise BrokenStream(f"{type(error).__name__}: {error}", path, cli=f"mend {path}") from error
    if not all(isinstance(lab, Lab) for lab in labs) or (hasattr(rows, "LAB") and labs[0].name != name):
        raise BrokenStream("LAB must be a Lab named like its file", path, cli=f"mend {path}")
    return [replace(lab, group=group, doc=lab.doc or (rows.__doc__ or "").strip()) for lab in labs]


def _modules() -> Iterator[str]:
    return (
        info.name
        for info in pkgutil.walk_packages([f"{path}/rows" for path in __path__], f"{ROWS}.")
        if not info.ispkg
    )


@cache
def collect() -> tuple[dict[str, Lab], tuple[BrokenStream, ...]]:
    """(labs by name, sorted; the errors of files that do not load)."""
    labs: dict[str, Lab] = {}
    broken: list[BrokenStream] = []
    for module in _modules():
        try:
            labs |= {lab.name: lab for lab in _load(module)}
        except BrokenStream as error:
            broken.append(error)
    return dict(sorted(labs.items())), tuple(broken)


def get(name: str) -> Lab:
    """The lab `name`. Raises UsageError, or BrokenStream when its file does not load."""
    labs, broken = collect()
    if name in labs:
        return labs[name]
    for error in broken:
        if error.where.endswith(f"/{name}.py"):
            raise error
    raise UsageError(
        f"no hay un laboratorio {name[:40]!r}{pista(name, labs)}",
        "include/labs/rows/",
        cli="./caudal lab enseña los que hay",
    )
