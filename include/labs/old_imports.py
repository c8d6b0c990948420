"""Rewrites the imports of notebook copies that name modules by the paths they had before the course got its
own packages.

A copy in `cuadernos/` belongs to its reader, so nothing else in it changes: not a comment, not an output.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jobs.contract.disk import storage

# Old path of a module -> its path now. A name that has changed as well is kept under its old name with `as`.
MOVED = {
    "jobs.contract.castellano": "jobs.labs.declared.castellano",
    "jobs.contract.combinations": "jobs.labs.declared.combinations",
    "jobs.contract.ends": "jobs.labs.declared.ends",
    "jobs.core.cuaderno": "jobs.labs.kit.notebook",
    "jobs.core.lab": "jobs.labs.kit.lab",
    "jobs.core.lab_files": "jobs.labs.kit.files",
    "jobs.core.lab_kafka": "jobs.labs.kit.topics",
    "jobs.core.line_server": "jobs.labs.kit.line_server",
    "jobs.core.mongo": "jobs.labs.kit.mongo",
    "jobs.core.progress": "jobs.labs.kit.progress",
    "jobs.core.sample_files": "jobs.labs.kit.sample_files",
    "jobs.core.sources": "jobs.labs.kit.sources",
    "jobs.core.spark_api": "jobs.labs.kit.spark_api",
    "jobs.core.tally": "jobs.labs.kit.tally",
}
_FROM_MODULE = re.compile(r"^(\s*from )(jobs\.(?:core|contract)\.\w+)( import (?:\([^)]*\)|.*))$", re.M)
_FROM_PACKAGE = re.compile(
    r"^(\s*)from (jobs\.(?:core|contract)) import (\w+)(?: as (\w+))?( *(?:#.*)?)$", re.M
)
_OLD_NAME = re.compile(r"\bWay\b(?! as)")


def renew(folder: Path) -> list[str]:
    """Rewrites the old imports in the notebooks of `folder`, and returns the names of the files that changed,
    sorted.

    A file that is not a notebook is left alone. Raises DiskFull and its like.
    """
    return [path.name for path in sorted(folder.glob("*.ipynb")) if _renewed(path)]


def _renewed(path: Path) -> bool:
    try:
        notebook: dict[str, Any] = json.loads(path.read_bytes())
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        sources = [renewed("".join(cell["source"])) for cell in cells]
    except (ValueError, TypeError, KeyError):
        return False
    changed = [
        (cell, text) for cell, text in zip(cells, sources, strict=True) if text != "".join(cell["source"])
    ]
    for cell, text in changed:
        cell["source"] = text.splitlines(keepends=True)
    if changed:  # written as Jupyter writes it, so the rest of the file keeps its bytes
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        with storage.disk_errors(path):
            storage.replace(path, text.encode())
    return bool(changed)


def renewed(source: str) -> str:
    """The code of a cell with its old imports rewritten, every other line as it was."""
    return _FROM_PACKAGE.sub(_from_package, _FROM_MODULE.sub(_from_module, source))


def _from_module(match: re.Match[str]) -> str:
    start, module, names = match.groups()
    if module not in MOVED:
        return match[0]
    return f"{start}{MOVED[module]}{_OLD_NAME.sub('Pipeline as Way', names)}"


def _from_package(match: re.Match[str]) -> str:
    indent, package, name, alias, rest = match.groups()
    if f"{package}.{name}" not in MOVED:
        return match[0]
    parent, _, new = MOVED[f"{package}.{name}"].rpartition(".")
    bound = alias or name
    return f"{indent}from {parent} import {new}{'' if bound == new else f' as {bound}'}{rest}"
