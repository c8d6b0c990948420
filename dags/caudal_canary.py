"""Caudal's own test of this Airflow: one small task that needs what a stream's run needs. It has no schedule and reads no data.

`./caudal up` runs it once before it says that all is well; `./caudal doctor --canary` runs it again. Only the newest run is kept. You need not
look at it: whoever runs it is told the result.

**When it is red** no stream can run either. The last line of the task's log says why; a task without a log died before it had one, and
`./caudal doctor --canary` then shows what the services' logs say.
"""

from datetime import timedelta

from airflow.sdk import dag, task

from include import settings
from include.airflow_kit import canary
from include.airflow_kit.stream_dag import OWNER, START


@dag(
    dag_id="caudal_canary",
    description="Caudal's own test of this Airflow, run by up and doctor",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=5),
    tags=["canary"],
    default_args={"owner": OWNER},
)
def caudal_canary() -> None:
    @task(
        retries=0, execution_timeout=timedelta(minutes=1), priority_weight=1000
    )  # somebody waits for it: before every stream
    def work() -> None:
        canary.work(settings.load())

    work()


caudal_canary()
