"""A copy of this checkout with a new home, in which verbs run as ./caudal runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include import settings as caudal
from tests.integration.command_line import answer, call

_COPIED = (
    "dags",
    "include",
    "jobs",
    "jvm",
    "tests/dags",
    "tests/conftest.py",
    "include/torture/brokers.py",
    "pyproject.toml",
    "requirements.txt",
    "vendor",
)


@dataclass
class Checkout:
    root: Path
    home: Path

    @classmethod
    def copied(cls, folder: Path) -> Checkout:
        made = cls(folder / "copy", folder / "home")
        for part in _COPIED:
            target = made.root / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if (caudal.ROOT / part).is_dir():
                shutil.copytree(caudal.ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(caudal.ROOT / part, target)
        return made

    @property
    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CAUDAL_", "AIRFLOW"))}
        own = {
            "CAUDAL_HOME": self.home,
            "CAUDAL_CACHE": caudal.load().cache,
            "NO_COLOR": "1",
        }
        return kept | {k: str(v) for k, v in own.items()}

    def python(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return call(self.environ | more, *words, command=(sys.executable, "-P"), root=self.root)

    def verb(self, *words: str) -> dict[str, Any]:
        """What the verb prints with --json. It must exit with 0."""
        return answer(call(self.environ, *words, root=self.root))

    def files(self) -> dict[str, bytes]:
        """The files of the copy: relative path -> content. Caches and hidden files are left out."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        names = {str(path.relative_to(self.root)): path for path in found}
        return {
            name: path.read_bytes()
            for name, path in names.items()
            if "__pycache__" not in name and not name.startswith(".")
        }
