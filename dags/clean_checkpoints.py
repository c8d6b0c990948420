"""Every night at 03:20 UTC: gives large checkpoints a new generation, and removes what is past its retention.

It does this, stream by stream:

1. **rollover**, if the source log or the number of batches has passed a limit of the row (`Upkeep`): a new
   checkpoint begins where the old one ended, and the output stays. The log says so if a rollover is refused
   because it would lose something: an open batch, state, or unread offsets.
2. **retire**: the checkpoints of a stream that is no longer registered go to `retirado` after the grace time.
   Its output stays.
3. **purge**: what lies in `retirado`, old checkpoints and archived files are removed after the retention of
   the row.
4. Run folders older than the row's `runs_days` are removed, except the newest fifty. So is what killed
   programs left: half-written batches, and temporary files older than a day.

Steps 3 and 4 cannot be undone.

The log has a line for each, and the bytes that were freed. The extra of the event of
`caudal://checkpoints/all` says the same. `dry_run` changes nothing. To take back a rollover or a retirement,
use the DAG `manage_stream` with the verb `undo`.

**When it is red**, the last line of the log says which stream, why, and what to do. The other streams are
done by then.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from include import settings
from include.airflow_kit import assets, cleaning, failures, tables
from include.airflow_kit.params import known_params
from include.airflow_kit.stream_dag import OWNER, START


@dag(
    dag_id="clean_checkpoints",
    description="Gives large checkpoints a new generation, removes what is past its retention",
    doc_md=__doc__,
    schedule="20 3 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=4),
    tags=["housekeeping"],
    params=cleaning.params(),
    default_args={"owner": OWNER},
)
def clean_checkpoints() -> None:
    @task(
        retries=2,
        retry_delay=timedelta(minutes=2),
        execution_timeout=timedelta(hours=1),
        outlets=[assets.checkpoints()],
    )
    def clean(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            outcomes = cleaning.clean(settings.load(), form, context["ti"].start_date)
            tables.tell(cleaning.lines(outcomes, form["dry_run"]))
            failures.raise_failed(outcomes)
            values = cleaning.report(outcomes, form["dry_run"])
            context["outlet_events"][assets.checkpoints()].extra = values
            return values

    clean()


clean_checkpoints()
