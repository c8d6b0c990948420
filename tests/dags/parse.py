"""Parse the DAG folder that the command line names, in a fresh process; print the facts as one JSON line."""

import json
import sys
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag


def param(found: Any) -> dict[str, Any]:
    return {"default": found.value, "description": found.description, "schema": found.schema}


def task(found: Any) -> dict[str, Any]:
    return {
        "id": found.task_id,
        "type": type(found).__name__,
        "owner": found.owner,
        "pool": found.pool,
        "retries": found.retries,
        "retry_delay_s": found.retry_delay.total_seconds(),
        "template_fields": list(found.template_fields),
        "timeout_s": found.execution_timeout.total_seconds() if found.execution_timeout else None,
        "inlets": [a.uri for a in found.inlets],
        "outlets": [a.uri for a in found.outlets],
        "application": getattr(found, "application", None),
        "binary": getattr(found, "_spark_binary", None),
        "connection": getattr(found, "_conn_id", None),
    }


def dag(found: Any) -> dict[str, Any]:
    return {
        "file": Path(found.fileloc).name,
        "doc_md": found.doc_md,
        "description": found.description,
        "tags": sorted(found.tags),
        "schedule": found.schedule,
        "timezone": str(found.timezone),
        "start": found.start_date.isoformat() if found.start_date else None,
        "catchup": found.catchup,
        "max_active_runs": found.max_active_runs,
        "paused": found.is_paused_upon_creation,
        "timeout_s": found.dagrun_timeout.total_seconds() if found.dagrun_timeout else None,
        "params": {name: param(found.params.get_param(name)) for name in found.params},
        "tasks": [task(t) for t in found.tasks],
    }


bag = DagBag(sys.argv[1])
print(json.dumps({
    "dags": {name: dag(found) for name, found in bag.dags.items()},
    "errors": {Path(file).name: text for file, text in bag.import_errors.items()},
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "seconds": {Path(s.file).name: s.duration.total_seconds() for s in bag.dagbag_stats},
}))  # fmt: skip
