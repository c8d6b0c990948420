"""Every hour: files that Spark has read, published and committed leave `en_proceso` for `archivo`, one folder a day.

Each run of a stream archives by itself when it ends; this sweep takes what a killed run left. A file moves only when it is proved done: its
batch is committed, its size and content are those of its admission, checkpoint and output match. Nothing is overwritten, nothing is deleted.

1. Trigger it with `dry_run` to see the plan: a table in the log, and the extra of the event of `caudal://archivo/all`.
2. Take files back with `./caudal restore STREAM --file NAME` (or `--date`, `--batch`).

A stream whose run is under way is a line `held`, not a failure: the next sweep takes it.

**When it is red** the last line of the log names the file or the stream and what to do; all others are archived by then.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from include import settings
from include.airflow_kit import archiving, assets, failures, tables
from include.airflow_kit.params import known_params
from include.airflow_kit.stream_dag import OWNER, START


@dag(
    dag_id="archive_processed_files",
    description="Moves files that are read and committed to archivo, with the plan in the log",
    doc_md=__doc__,
    schedule="40 * * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=50),
    tags=["housekeeping"],
    params=archiving.params(),
    default_args={"owner": OWNER},
)
def archive_processed_files() -> None:
    @task(
        retries=2,
        retry_delay=timedelta(seconds=30),
        execution_timeout=timedelta(minutes=15),
        outlets=[assets.archived()],
    )
    def archive(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            found = archiving.archive(settings.load(), form, context["ti"].start_date)
            tables.tell(archiving.lines(found, form["dry_run"]))
            failures.raise_failed(found)
            values = archiving.report(found, form["dry_run"])
            context["outlet_events"][assets.archived()].extra = values
            return values

    archive()


archive_processed_files()
