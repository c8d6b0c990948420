"""The labs: one file each, docstring and one Lab(...) row, collected sorted; a broken one never takes the others down.

The program of a lab is the module of its name in jobs/labs.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from functools import cache

from jobs.contract.castellano import pista
from jobs.contract.errors import BrokenStream, UsageError
from jobs.contract.lab import Lab


def _load(name: str) -> Lab:
    try:
        module = importlib.import_module(f"{__name__}.{name}")
        lab = module.LAB
    except (Exception, SystemExit) as error:  # whatever a stranger's file raises belongs to that file alone
        raise BrokenStream(f"{type(error).__name__}: {error}", f"include/labs/{name}.py", cli=f"mend include/labs/{name}.py") from error
    if not isinstance(lab, Lab) or lab.name != name:
        raise BrokenStream("LAB must be a Lab named like its file", f"include/labs/{name}.py", cli=f"mend include/labs/{name}.py")
    return replace(lab, doc=(module.__doc__ or "").strip())


@cache
def collect() -> tuple[dict[str, Lab], tuple[BrokenStream, ...]]:
    """(labs by name, what would not load)."""
    labs: dict[str, Lab] = {}
    broken: list[BrokenStream] = []
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        try:
            labs[info.name] = _load(info.name)
        except BrokenStream as error:
            broken.append(error)
    return labs, tuple(broken)


def get(name: str) -> Lab:
    """The lab `name`. Raises UsageError, or BrokenStream when its file does not load."""
    labs, broken = collect()
    if name in labs:
        return labs[name]
    for error in broken:
        if error.where == f"include/labs/{name}.py":
            raise error
    raise UsageError(f"no hay un laboratorio {name[:40]!r}{pista(name, labs)}", "include/labs/", cli="./caudal lab enseña los que hay")
