"""Archives right after a run: the files that the run has committed leave en_proceso.

A held lease is not a failure, because the next run or the hourly sweep archives the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from include.housekeeping.files import archive
from include.housekeeping.plan import SHOWN, Kept
from include.settings import Settings
from jobs.contract.errors import CaudalError, LeaseHeld
from jobs.contract.stream import Stream


@dataclass(frozen=True)
class Tidied:
    """What archiving did. `held`: who had the lease, in words.

    `error`: what stopped it, or FileChanged if a person must look at a file. Nothing is lost by it, and the
    caller raises it after the run's report.
    """

    files: int = 0
    size_bytes: int = 0
    kept: tuple[Kept, ...] = ()
    held: str = ""
    error: CaudalError | None = None

    def to_json(self) -> dict[str, Any]:
        """For `--json`, XCom and the asset event: counts, and the first files that stay, with reasons."""
        return {
            "files": self.files,
            "bytes": self.size_bytes,
            "kept": len(self.kept),
            "first_kept": [asdict(k) for k in self.kept[:SHOWN]],
            "held": self.held,
            "error": self.error.to_json() if self.error else None,
        }

    def lines(self) -> Iterator[str]:
        """Lines for the log; none if there was nothing to do."""
        if self.files:
            yield f"archived {self.files} files, {self.size_bytes:,} bytes"
        for kept in self.kept[:SHOWN]:
            yield f"stays in en_proceso: {kept.path}: {kept.reason}"
        if len(self.kept) > SHOWN:
            yield f"… {len(self.kept):,} files stay in all"
        if self.held:
            yield f"nothing archived now: {self.held}"


def tidy(settings: Settings, stream: Stream, now: datetime) -> Tidied:
    """Archives what is proved. It raises no CaudalError, but returns it.

    It takes milliseconds when no admitted file is left.
    """
    if not archive.anything(settings.layout, stream):
        return Tidied()
    try:
        done = archive.sweep(settings, stream, now)
    except LeaseHeld as error:
        return Tidied(held=error.what)
    except CaudalError as error:
        return Tidied(error=error)
    return Tidied(len(done.steps), done.size_bytes, done.kept, error=archive.changed(done))
