"""Ids of runs and of housekeeping's operations. They sort in the order in which they were made.

That holds even if the clock is set back. The order tells which batches are already reported, and which rewind
came after which run.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from include.state import journal
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import JournalDamaged
from jobs.contract.run import spec

_STAMP = "%Y%m%dT%H%M%S%fZ"


def after(layout: Layout, stream: str, now: datetime) -> str:
    """A new id that sorts after all ids of the stream: from `now`, or from the newest id if the clock was set
    back. The caller holds the lease, or only plans."""
    newest = _newest(layout, stream)
    run_id = spec.new_run_id(now)
    if run_id.partition("-")[0] > newest:
        return run_id
    return spec.new_run_id(datetime.strptime(newest, _STAMP).replace(tzinfo=UTC) + timedelta(milliseconds=1))


def _newest(layout: Layout, stream: str) -> str:
    """The time part of the newest id; empty if there is none."""
    runs = layout.runs(stream)
    ids = [entry.name for entry in os.scandir(runs) if spec.is_run_id(entry.name)] if runs.is_dir() else []
    with suppress(JournalDamaged):  # the run itself raises it, once it has a report to write it into
        newest = journal.operations(layout.journal(stream), "id = (SELECT max(id) FROM operation)")
        ids += [operation.id for operation in newest if spec.is_run_id(operation.id)]
    return max(ids, default="").partition("-")[0]
