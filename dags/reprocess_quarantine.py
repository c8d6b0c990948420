"""Refused records of a file stream once more, after a rule was mended: each record as it came, as a new delivery. Nothing happens unseen.

1. Trigger with the form. `plan` counts, by reason, the records that are still open; its log names every delivery.
2. `approve` waits for you under *Required Actions*, with the plan on the page. **Reject** changes nothing.
3. **Approve**: `apply` plans once more under the stream's lease and does it only if it is still the plan you have seen. The stream's next run takes
   the deliveries in.

A record is reprocessed once; what is refused again is a refused record of its new delivery. With *Refused files* the files of
`cuarentena/F/ficheros` go back to `entrada` instead, to be judged anew; duplicates only when their code is among the reasons.
A stream that reads a topic is refused: mend the rule, then `manage_stream` with verb rewind reads the same offsets again.

Nobody answers within two hours: the run fails and nothing is changed.

**When it is red** the last line of the task's log says why. An operation that was cut short is finished by the next run of the stream.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

from include import settings
from include.airflow_kit import managing, reprocessing, tables
from include.airflow_kit.params import known_params
from include.airflow_kit.stream_dag import OWNER, START


@dag(
    dag_id="reprocess_quarantine",
    description="Refused records or files once more: plan, approval, apply",
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
            found = reprocessing.plan(settings.load(), form, context["ti"].start_date)
            tables.tell(tables.steps(found))
            if not found.steps:
                raise AirflowSkipException("there is nothing to reprocess")
            return managing.proposal(found)

    approve = ApprovalOperator(
        task_id="approve",
        subject="{{ ti.xcom_pull(task_ids='plan')['subject'] }}",
        body="{{ ti.xcom_pull(task_ids='plan')['body'] }}",
        response_timeout=timedelta(hours=2),
        retries=0,
    )

    @task(
        retries=0, execution_timeout=timedelta(hours=1)
    )  # a second try would be another plan: it would be refused
    def apply(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            approved = context["ti"].xcom_pull(task_ids="plan")["digest"]
            done = reprocessing.apply(settings.load(), form, approved, context["ti"].start_date)
            tables.tell([f"done: {done.kind} {done.id}; the next run of {done.stream} takes it in"])
            return done.to_json()

    plan() >> approve >> apply()


reprocess_quarantine()
