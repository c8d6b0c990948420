"""When triggered by `./caudal up` or `doctor --canary`: tests this Airflow with one small task.

The task reads no data. It needs what a stream's run needs. `./caudal up` runs it once before it reports
success, and `./caudal doctor --canary` runs it again. Whoever runs it gets the result, so you need not look
at it. Only the newest run is kept.

**When it is red**, no stream can run either. The last line of the task's log says why. If the task has no
log, it died before it could write one. Then `./caudal doctor --canary` shows what the logs of the services
say.
"""

from datetime import timedelta

from airflow.sdk import dag, task

from include import settings
from include.airflow_kit import canary
from include.airflow_kit.stream_dag import OWNER, START


@dag(
    dag_id="caudal_canary",
    description="Tests this Airflow with one small task",
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
    # ahead of every stream in the queue, because somebody waits for the answer
    @task(retries=0, execution_timeout=timedelta(minutes=1), priority_weight=1000)
    def work() -> None:
        canary.work(settings.load())

    work()


caudal_canary()
