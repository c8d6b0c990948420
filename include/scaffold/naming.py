"""Checks the names of new streams and labs, and suggests a similar name that is free."""

from __future__ import annotations

import builtins
import importlib.util
import keyword
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from jobs.contract.disk.layout import is_name
from jobs.contract.errors import UsageError
from jobs.contract.stream import Stream

LETTERS = "a name has at most 63 lower-case letters a to z, digits and _, and begins with a letter"
_TAKEN = ("conftest", "main")  # the first is pytest's own, the second is imported by every job
_LONGEST = 48  # letters of a suggested name, which leaves room for an ending
_MOST = 1000
_PLAIN = str.maketrans({"ñ": "ni", "Ñ": "ni", "ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "ç": "c"})
_FILES = (
    "jobs/domain/{}.py",
    "jobs/{}.py",
    "jobs/labs/propios/{}.py",
    "include/labs/rows/propios/{}.py",
    "tests/jobs/domain/test_{}.py",
    "tests/jobs/labs/test_{}.py",
)


def check_name(name: str, root: Path, registry: Mapping[str, Stream], source: str = "") -> None:
    """Raises UsageError for a name that cannot be a stream, a module and a DAG at once, and suggests one that
    can. `source`: as typed."""
    if reason := why_not(name, root, registry):
        free = free_name(name, root, registry, source)
        raise UsageError(
            f"{name[:63]!r} cannot be the name: {reason}", "NAME", cli=f"the name {free} is free"
        )


def why_not(name: str, root: Path, registry: Mapping[str, Stream]) -> str:
    """The reason why the name cannot be used; empty if it can."""
    if not is_name(name):
        return LETTERS
    reasons = {
        "it is a keyword or builtin of Python": keyword.iskeyword(name) or hasattr(builtins, name),
        "the name is used for something else": name in _TAKEN,
        "a stream of that name exists": name in registry
        or (root / "include" / "streams" / f"{name}.py").exists(),
        "a DAG file of that name exists": (root / "dags" / f"{name}.py").exists(),
        "a folder of that name exists in jobs/": (root / "jobs" / name).exists()
        or (root / "jobs" / "domain" / name).exists(),
        "an installed module has that name, and would hide it or be hidden": _is_module(name),
    }
    return next((reason for reason, wrong in reasons.items() if wrong), "")


def free_name(name: str, root: Path, registry: Mapping[str, Stream], source: str = "") -> str:
    """A usable name like `name`, none of whose files exist: in plain letters, after its source, or
    numbered."""
    return next(
        one
        for one in _candidates(plain(name), source)
        if not why_not(one, root, registry) and not _files(one, root)
    )


def _candidates(base: str, source: str) -> Iterator[str]:
    yield base
    if ending := {"kafka": "kafka", "files": "ficheros"}.get(source.partition(":")[0]):
        yield f"{base}_{ending}"
    yield from (f"{base}_{number}" for number in range(2, _MOST))


def _files(name: str, root: Path) -> bool:
    return any((root / pattern.format(name)).exists() for pattern in _FILES)


def plain(name: str) -> str:
    """The name in letters a to z, digits and _: `Año 2025` -> `anio_2025`."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", name[:_LONGEST]).translate(_PLAIN))
    bare = "".join(c for c in text if not unicodedata.combining(c)).lower()
    letters = re.sub(r"[^a-z0-9]+", "_", bare).strip("_")[:_LONGEST].strip("_")
    return letters if letters[:1].isalpha() else f"stream_{letters}".rstrip("_")


def _is_module(name: str) -> bool:
    return name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None
