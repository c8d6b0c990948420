"""Right after a run: what it has committed leaves en_proceso. A held lease is no failure; the next run or the hourly sweep does it."""

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
    """What archiving did. `held`: who had the lease, in words. `error`: what stopped it, or FileChanged when a file needs a look;
    nothing is lost by it, and the caller raises it once it has reported."""

    files: int = 0
    size_bytes: int = 0
    kept: tuple[Kept, ...] = ()
    held: str = ""
    error: CaudalError | None = None

    def to_json(self) -> dict[str, Any]:
        """Counts, and the first files that stay with their reasons: for `--json`, XCom and the asset event."""
        return {
            "files": self.files,
            "bytes": self.size_bytes,
            "kept": len(self.kept),
            "first_kept": [asdict(k) for k in self.kept[:SHOWN]],
            "held": self.held,
            "error": self.error.to_json() if self.error else None,
        }

    def lines(self) -> Iterator[str]:
        """For the log; nothing when there was nothing to do."""
        if self.files:
            yield f"archived {self.files} files, {self.size_bytes:,} bytes"
        for kept in self.kept[:SHOWN]:
            yield f"stays in en_proceso: {kept.path}: {kept.reason}"
        if len(self.kept) > SHOWN:
            yield f"… {len(self.kept):,} files stay in all"
        if self.held:
            yield f"nothing archived now: {self.held}"


def tidy(settings: Settings, stream: Stream, now: datetime) -> Tidied:
    """Archives what is proved. Never raises a CaudalError: it is in the answer. Milliseconds when no admitted file is left."""
    if not archive.anything(settings.layout, stream):
        return Tidied()
    try:
        done = archive.sweep(settings, stream, now)
    except LeaseHeld as error:
        return Tidied(held=error.what)
    except CaudalError as error:
        return Tidied(error=error)
    return Tidied(len(done.steps), done.size_bytes, done.kept, error=archive.changed(done))
