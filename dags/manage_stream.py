"""A stream's generations by hand: new checkpoint, start from the beginning, take back batches, retire, undo, purge. Nothing happens unseen.

1. Trigger with the form. `plan` refuses, with the reason, what would be wrong now; else its log shows every step.
2. `approve` waits for you under *Required Actions*, with the plan on the page. **Reject** changes nothing.
3. **Approve**: `apply` plans once more under the stream's lease and does it only if it is still the plan you have seen.

| verb | readers then see | the way back |
|---|---|---|
| rollover | old and new generations | undo, until the new one has begun a batch |
| reset | only the new generation | undo, until it has begun a batch |
| rewind | what is left, then the new batches | none: the same input is read again |
| retire | one generation less | undo, until it is purged |
| undo | what they saw before | the verb again |
| purge | no difference | none: it removes for good |

Nobody answers within two hours: the run fails and nothing is changed. A run of the stream that is under way is waited for.

**When it is red** the last line of the task's log says why. An operation that was cut short is finished by the next run of the stream.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

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
            found = managing.plan(settings.load(), form, context["ti"].start_date)
            tables.tell(tables.steps(found))
            if not found.steps:
                raise AirflowSkipException("there is nothing to do")
            return managing.proposal(found)

    approve = ApprovalOperator(
        task_id="approve",
        subject="{{ ti.xcom_pull(task_ids='plan')['subject'] }}",
        body="{{ ti.xcom_pull(task_ids='plan')['body'] }}",
        response_timeout=timedelta(hours=2),
        retries=0,
    )

    @task(
        retries=0, execution_timeout=timedelta(hours=1), outlets=[assets.generations()]
    )  # a second try would be another plan: it would be refused
    def apply(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            approved = context["ti"].xcom_pull(task_ids="plan")["digest"]
            done = managing.apply(settings.load(), form, approved, context["ti"].start_date)
            tables.tell([f"done: {done.kind} {done.id}; way back: {done.way_back}"])
            context["outlet_events"][assets.generations()].extra = done.to_json()
            return done.to_json()

    plan() >> approve >> apply()


manage_stream()
