"""When triggered, after a rule was corrected: reprocesses the refused records of a stream of files.

Each record is delivered again, exactly as it came.

1. Trigger it with the form. `plan` counts, by reason, the records that are still open. Its log names every
   delivery.
2. `approve` waits for you under *Required Actions* and shows the plan. **Reject** changes nothing.
3. **Approve**: `apply` plans again under the stream's lease, and goes on only if the plan is still the one
   that you approved. The next run of the stream takes the deliveries in.

A record is reprocessed once. If it is refused again, it is a refused record of its new delivery. With
*Refused files*, the files of `cuarentena/F/ficheros` go back to `entrada` instead, and are judged again.
Duplicates go back only if their code is among the reasons. For a stream that reads a topic, the DAG refuses.
Correct the rule, and then use `manage_stream` with the verb `rewind`, which reads the same offsets again.

If nobody answers within two hours, the run fails and nothing is changed.

**When it is red**, the last line of the task's log says why. If an operation was interrupted, the next run of
the stream finishes it.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from include import settings
from include.airflow_kit import managing, reprocessing, tables
from include.airflow_kit.params import known_params
from include.airflow_kit.stream_dag import OWNER, START


@dag(
    dag_id="reprocess_quarantine",
    description="Reprocesses refused records or files: plan, approval, apply",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=8,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=4),
    tags=["quarantine"],
    params=reprocessing.params(),
    default_args={"owner": OWNER},
)
def reprocess_quarantine() -> None:
    @task(retries=2, retry_delay=timedelta(seconds=15), execution_timeout=timedelta(minutes=15))
    def plan(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            proposed = reprocessing.plan(settings.load(), form, context["ti"].start_date)
            return managing.propose(proposed, "there is nothing to reprocess")

    # no retry: a second try would make a new plan, which nobody has approved
    @task(retries=0, execution_timeout=timedelta(hours=1))
    def apply(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            approved = context["ti"].xcom_pull(task_ids="plan")["digest"]
            done = reprocessing.apply(settings.load(), form, approved, context["ti"].start_date)
            tables.tell([f"done: {done.kind} {done.id}; the next run of {done.stream} takes it in"])
            return done.to_json()

    plan() >> managing.approval() >> apply()


reprocess_quarantine()
