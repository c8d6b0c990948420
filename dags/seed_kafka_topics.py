"""Makes the Kafka topics that the streams declare, and on request puts sample invoices: play the whole flow from Airflow's UI.

1. Trigger with the form: for instance 1,000 sample messages and 3 sample files.
2. `topics` makes what is missing; `messages` and `files` put the samples; each one's log and XCom say what was done, with the totals
   that must come out.
3. The stream DAGs take it within five minutes, or at once when you trigger them.

**Nothing is ever deleted or changed**: a topic that exists with other partitions or settings is named in the log of `topics` and left as it is.

**When it is red** the last line of the log says why. `topics` may be cleared at any time. Clearing `messages` or `files` puts samples once more.
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
    description="Makes the registry's Kafka topics; puts sample messages and files on request",
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

    @task(retries=0)  # a second try would send what had arrived once more
    def messages(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            return _say(
                seed.send_messages(
                    settings.load(), form["messages_topic"], form["messages"], form["seed"], _now(context)
                )
            )

    @task(retries=0)  # as for messages
    def files(**context: Any) -> dict[str, Any]:
        with known_params(context) as form:
            return _say(
                seed.put_files(
                    settings.load(),
                    form["files_stream"],
                    form["files"],
                    form["invoices"],
                    form["seed"],
                    _now(context),
                )
            )

    topics() >> messages()
    files()


def _now(context: dict[str, Any]) -> datetime:
    return context["ti"].start_date


seed_kafka_topics()
