"""The launcher: looks like `spark-submit` to SparkSubmitOperator and the command line.

Called as `python -m include.launch [spark options] JOB --stream S`.
"""

from __future__ import annotations

import os
import select
import sys
from datetime import UTC, datetime

from include import settings
from include.launch import request, run
from jobs.contract.disk import processes
from jobs.contract.errors import CaudalError, ExitCode


def main(argv: list[str]) -> int:
    """Prepares the run and becomes spark-submit. Returns an ExitCode when Spark is not started. The launcher
    dies with its parent, and gives up at once if nobody reads its output."""
    processes.begin(settings.ROOT)
    processes.die_with_parent(os.getppid())
    if _nobody_listens():
        return int(ExitCode.BUG)
    try:
        ready = run.ready(settings.load(), request.parse(argv), datetime.now(UTC))
    except CaudalError as error:
        processes.tell(str(error))
        return int(error.exit_code)
    if ready is None:
        return int(ExitCode.DONE)
    os.chdir(ready.place)
    ready.held.hand_over()
    argv = list(ready.command.argv)
    # exec and not a child: Spark keeps the launcher's pid, and with it the lease
    os.execve(argv[0], argv, ready.command.environ)  # noqa: S606 - no shell is meant


def _nobody_listens() -> bool:
    """Whether stdout is a pipe whose reader is gone: then the task that started this process was killed
    before the death signal was set."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
