"""When triggered: creates the streams' Kafka topics and, on request, delivers sample invoices.

With it you can try the whole flow from Airflow's UI.

1. Trigger it with the form, for instance with 1,000 sample messages and 3 sample files.
2. `topics` creates the topics that are missing. `messages` and `files` deliver the samples. The log and XCom
   of each say what was done, with the totals that must come out.
3. The DAGs of the streams take the samples within five minutes. If you trigger them, they do it at once.

**Nothing is deleted or changed.** If a topic exists with other partitions or settings, the log of `topics`
names it, and the topic stays as it is.

**When it is red**, the last line of the log says why. You may clear `topics` at any time. If you clear
`messages` or `files`, the samples are delivered again.
"""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import dag, task

from include import settings
from include.airflow_kit import seed, tables
from include.airflow_kit.params import known_params
from include.airflow_kit.stream_dag import OWNER, START


def _say(result: dict[str, Any]) -> dict[str, Any]:
    tables.tell(seed.readable(result))
    return result


@dag(
    dag_id="seed_kafka_topics",
    description="Creates the registry's Kafka topics, delivers sample messages and files on request",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=20),
    tags=["kafka", "samples"],
    params=seed.params(),
    default_args={
        "owner": OWNER,
        "execution_timeout": timedelta(minutes=5),
        "retry_delay": timedelta(seconds=15),
    },
)
def seed_kafka_topics() -> None:
    @task(retries=2)
    def topics(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            return _say(seed.make_topics(settings.load(), form["topics"]))

    # no retry, here and below: a second try would deliver again what has already arrived
    @task(retries=0)
    def messages(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            target = form["messages_topic"], form["messages"]
            return _say(seed.send_messages(settings.load(), *target, form["seed"], _now(context)))

    @task(retries=0)
    def files(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            target = form["files_stream"], form["files"], form["invoices"]
            return _say(seed.put_files(settings.load(), *target, form["seed"], _now(context)))

    topics() >> messages()
    files()


def _now(context: dict[str, Any]) -> datetime:
    return context["ti"].start_date


seed_kafka_topics()
