"""Builds jobs.zip, the Spark side, which spark-submit ships whole. Its name has a digest of the sources, so a
running driver keeps the archive it began with."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

from jobs.contract.disk import storage


def jobs_zip(root: Path, folder: Path) -> Path:
    """The archive of `root`/jobs under `folder`. Built when the sources have changed (20 ms), else only
    looked up (1 ms)."""
    sources = sorted(p for p in (root / "jobs").rglob("*.py") if "__pycache__" not in p.parts)
    seen = hashlib.sha256()
    for path in sources:
        stat = path.stat()
        seen.update(f"{path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    target = folder / f"jobs-{seen.hexdigest()[:16]}.zip"
    if not target.exists():
        _build(root, sources, target)
    return target


def _build(root: Path, sources: list[Path], target: Path) -> None:
    storage.make_dirs(target.parent)
    temp = target.with_name(f".{target.name}.{os.getpid()}")
    with zipfile.ZipFile(temp, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sources:
            archive.write(path, path.relative_to(root))
    # without this, a power cut could leave a torn archive under the final name, and every run would fail
    storage.fsync_file(temp)
    temp.replace(target)
    storage.fsync_dir(target.parent)
