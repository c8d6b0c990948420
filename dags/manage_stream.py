"""When triggered: plans a generation verb for a stream, waits for your approval, and does it.

1. Trigger it with the form. `plan` refuses, with the reason, what cannot be done now. Otherwise its log shows
   every step.
2. `approve` waits for you under *Required Actions* and shows the plan. **Reject** changes nothing.
3. **Approve**: `apply` plans again under the stream's lease, and goes on only if the plan is still the one
   that you approved.

| verb | what it does | what readers then see | the way back |
|---|---|---|---|
| rollover | a new checkpoint goes on | old and new generations | undo, until the new one has a batch |
| reset | everything is read again | only the new generation | undo, until it has a batch |
| rewind | the newest batches are taken back | what is left, then the new batches | none |
| retire | an old generation is put away | one generation less | undo, until it is purged |
| undo | the newest verb is taken back | what they saw before | the verb again |
| purge | what is past its retention is removed | no difference | none: it removes for good |

There is no way back from a rewind, because the same input is read again.

If nobody answers within two hours, the run fails and nothing is changed. If a run of the stream is under way,
the DAG waits for it.

**When it is red**, the last line of the task's log says why. If an operation was interrupted, the next run of
the stream finishes it.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from include import settings
from include.airflow_kit import assets, managing, tables
from include.airflow_kit.params import known_params
from include.airflow_kit.stream_dag import OWNER, START


@dag(
    dag_id="manage_stream",
    description="Rollover, reset, rewind, retire, undo, purge: plan, approval, apply",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=8,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=4),
    tags=["housekeeping"],
    params=managing.params(),
    default_args={"owner": OWNER},
)
def manage_stream() -> None:
    @task(retries=2, retry_delay=timedelta(seconds=15), execution_timeout=timedelta(minutes=15))
    def plan(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            proposed = managing.plan(settings.load(), form, context["ti"].start_date)
            return managing.propose(proposed, "there is nothing to do")

    # no retry: a second try would make a new plan, which nobody has approved
    @task(retries=0, execution_timeout=timedelta(hours=1), outlets=[assets.generations()])
    def apply(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            approved = context["ti"].xcom_pull(task_ids="plan")["digest"]
            done = managing.apply(settings.load(), form, approved, context["ti"].start_date)
            tables.tell([f"done: {done.kind} {done.id}; way back: {done.way_back}"])
            context["outlet_events"][assets.generations()].extra = done.to_json()
            return done.to_json()

    plan() >> managing.approval() >> apply()


manage_stream()
