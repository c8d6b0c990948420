"""Every hour: moves files whose batch is committed from `en_proceso` to `archivo`, a folder per day.

Each run of a stream archives its own files when it ends. This DAG moves what a killed run left. A file moves
only if it is proved that it is done: its batch is committed, its size and content are those of its admission,
and checkpoint and output match. Nothing is overwritten, and nothing is deleted.

- To see the plan only, trigger the DAG with `dry_run`. The plan is a table in the log, and the extra of the
  event of `caudal://archivo/all`.
- To take files back, use `./caudal restore STREAM --file NAME` (or `--date`, `--batch`).
- If a run of a stream is under way, its line in the log says `held`. This is not a failure: the DAG's next
  run does the work.

**When it is red**, the last line of the log names the file or the stream, and what to do. All other files are
archived by then.
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
    description="Moves committed files from en_proceso to archivo",
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
            outcomes = archiving.archive(settings.load(), form, context["ti"].start_date)
            tables.tell(archiving.lines(outcomes, form["dry_run"]))
            failures.raise_failed(outcomes)
            values = archiving.report(outcomes, form["dry_run"])
            context["outlet_events"][assets.archived()].extra = values
            return values

    archive()


archive_processed_files()
