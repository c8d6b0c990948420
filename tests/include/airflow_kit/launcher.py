"""A launcher for tests: keeps the real one's contract (arguments, lease, report, exit codes) and ends as
<home>/script says."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from jobs.contract.disk import storage
from jobs.contract.disk.layout import Layout
from jobs.contract.run.report import Report
from jobs.contract.run.spec import new_run_id


def main(argv: list[str]) -> int:
    options = dict(zip(argv[-4::2], argv[-3::2], strict=True))
    layout, stream = Layout(Path(os.environ["CAUDAL_HOME"])), options["--stream"]
    script = json.loads((layout.home / "script").read_text())
    (layout.home / "argv").write_text(json.dumps(argv))
    (layout.home / "pid").write_text(str(os.getpid()))
    layout.lease(stream).parent.mkdir(parents=True, exist_ok=True)
    lease = layout.lease(stream).open("a")
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("lease-held: run 7 holds the lease, pid 1 [f] -> wait for it", flush=True)
        return 75
    print(script.get("say", "working"), flush=True)
    if script.get("report", True):
        now = datetime.now(UTC)
        running = Report(
            stream, new_run_id(now), "running", now.isoformat(), airflow_run_id=options["--airflow-run-id"]
        )
        path = layout.run(stream, running.run_id) / "report.json"
        storage.make_dirs(path.parent)
        storage.replace(path, running.to_json())
        time.sleep(script.get("sleep_s", 0))
        storage.replace(path, replace(running, **script.get("end", {})).to_json())
    return int(script.get("exit", 0))


sys.exit(main(sys.argv[1:]))
