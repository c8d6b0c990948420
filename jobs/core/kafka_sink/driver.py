"""The driver side of the exactly-once Kafka sink: fence, read the tokens, claim; then let the tasks send.

The order matters (docs/decisions/0010-exactly-once-sink.md):

1. *Fence* every transactional id that this stream ever used. A producer of a killed run is shut out, and its
   open transaction is aborted. An open transaction hides the tokens behind it, so reading them first would
   send messages twice.
2. *Read the tokens.* A record below its partition's token was already sent and is dropped.
3. *Claim* every id, in a transaction of that id. A worker of a killed run that wakes up later finds the claim
   and stops.
4. *Send.* Each transaction holds records and, as its last record, the next token.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.contract import errors
from jobs.contract.commit.batch_plan import BatchPlan
from jobs.contract.disk import failpoints
from jobs.contract.errors import BrokenStream, CaudalError, TimeoutRefused
from jobs.contract.kafka import connection
from jobs.contract.run.spec import RunSpec
from jobs.contract.stream import Topic
from jobs.core.kafka_sink import producer, token_topic, worker
from jobs.core.kafka_sink.producer import Client, TransactionalProducer
from jobs.core.kafka_sink.tokens import Token, id_of, key_of, newest
from jobs.core.kafka_sink.worker import WorkerConfig
from jobs.core.write import sinks
from jobs.domain.positions import POSITION

# Transaction timeouts, tried in turn until the broker allows one. The first is the default of its
# transaction.max.timeout.ms. A client cannot ask for that limit, only exceed it.
_TIMEOUTS_MS = (900_000, 300_000, 60_000)
_FENCED_AT_ONCE = 16  # ids opened in parallel: each needs two round trips, and a topic may have hundreds


@dataclass
class KafkaSinkDriver:
    """Sends the batches of one run. It contacts the broker only when the first batch has something to send.

    `planned`: newest batch that was planned before this run.
    """

    spec: RunSpec
    planned: int
    _client: Client | None = None
    _claims_start: int = -1
    _claimed: set[str] = field(default_factory=set)

    def send(self, rows: DataFrame, frame: DataFrame, plan: BatchPlan) -> int:
        """Sends those of `rows` that were not sent before. Returns the number of all rows, sent now or
        before.

        `frame`: the batch that `rows` were made of. Raises BrokenStream, before anything is sent, when the
        rows have lost their position; and the errors of TransactionalProducer.
        """
        by_partition, config = self._by_partition, self._worker_config(plan)
        wanted = {config.id(t, int(p)) for t, p in plan.ranges()} if by_partition else {config.batch_id}
        # Fencing waits half a second for the broker. Meanwhile Spark plans the query, to count its tasks.
        with ThreadPoolExecutor(1) as background:
            claimed = background.submit(self._claim, wanted, plan)
            if by_partition:
                _require_position(rows, frame, self.spec.stream.name)
        claimed.result()
        config = self._worker_config(plan)  # again: claiming has set the client and claims_start
        encoded = rows.select(*self._columns(rows))
        work = worker.by_partition(config) if by_partition else worker.by_batch(config)
        results = (encoded if by_partition else encoded.coalesce(1)).mapInArrow(work, worker.RESULT).collect()
        failpoints.hit("sent")
        return self._total(results)

    @property
    def _by_partition(self) -> bool:
        """Whether each source partition has its own transactional id. Otherwise a batch is one transaction:
        files have no offsets, and a row of a stateful transform comes from many records."""
        return isinstance(self.spec.stream.source, Topic) and not self.spec.stream.stateful

    def _worker_config(self, plan: BatchPlan) -> WorkerConfig:
        sink, tokens = self.spec.stream.sink, self.spec.stream.tokens
        assert isinstance(sink, Topic) and tokens  # noqa: S101 - the caller's condition
        return WorkerConfig(
            client=self._client or self._new_client(_TIMEOUTS_MS[0]),
            stream=self.spec.stream.name,
            generation=self.spec.generation,
            epoch=f"{plan.query_id}/{self.spec.rewinds}",
            run=self.spec.run_id,
            topic=sink.name,
            token_topic=tokens.name,
            claims_start=self._claims_start,
            batch=plan.batch,
            input_digest=plan.input_digest,
            transaction_records=self.spec.stream.limits.transaction_records,
        )

    def _new_client(self, most_ms: int) -> Client:
        return Client(
            connection.of_run(self.spec).librdkafka(), min(most_ms, self.spec.stream.limits.run_s * 1000)
        )

    def _columns(self, rows: DataFrame) -> list[Column]:
        sink = self.spec.stream.sink
        assert isinstance(sink, Topic)  # noqa: S101 - the caller's condition
        encoded = [column.cast("binary") for column in sinks.message(rows, sink)]
        if POSITION in rows.columns:
            return [
                *encoded,
                *(F.col(f"{POSITION}.{name}") for name in ("where", "partition", "offset", "task")),
            ]
        return [*encoded, F.lit(None).cast("string").alias("where")]

    def _claim(self, wanted: set[str], plan: BatchPlan) -> None:
        """Fences and claims the ids of `wanted`, and all ids used before. It works once per run, and again if
        a later batch has a new partition."""
        if wanted <= self._claimed:
            return
        config = self._worker_config(plan)
        token_topic.require_sink(config.client, config.topic)
        token_topic.require(self.spec, config, self.planned)
        # Uncommitted tokens, too: an id whose only transaction is still open must be fenced as well.
        all_tokens, _ = producer.records(config.client, config.token_topic, 0, committed=False)
        ids = sorted((wanted | {id_of(key) for key, _ in all_tokens}) - self._claimed)
        self._client, owners = self._fence(ids)
        failpoints.hit("fenced")
        tokens, end = producer.records(self._client, config.token_topic, 0)
        self._claims_start = end if self._claims_start < 0 else self._claims_start
        _map(owners, lambda owner: _write_claim(owner, config, newest(tokens, owner.name, config.epoch)))
        self._claimed |= set(ids)
        failpoints.hit("claimed")

    def _fence(self, ids: list[str]) -> tuple[Client, list[TransactionalProducer]]:
        """A client with the longest transaction timeout that the broker allows, and a producer for each
        id."""
        for most_ms in _TIMEOUTS_MS:
            client = self._client or self._new_client(most_ms)
            try:
                return client, _map(ids, partial(TransactionalProducer, client))
            except TimeoutRefused:
                continue
        raise TimeoutRefused(
            f"the broker allows no transaction of {_TIMEOUTS_MS[-1] / 1000:.0f} s",
            "transaction.max.timeout.ms",
        )

    def _total(self, results: Iterable[Any]) -> int:
        rows = list(results)
        for row in rows:
            if row["failure"]:
                raise _error(json.loads(row["failure"]))
        ids = [row["id"] for row in rows if row["rows"]]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise BrokenStream(
                f"two tasks sent rows of one source partition ({twice[0]})", self.spec.stream.name
            )
        total, sent = sum(row["rows"] for row in rows), sum(row["sent"] for row in rows)
        if sent < total:
            before = f"{total - sent} of {total} messages had been sent by an earlier attempt"
            print(f"{before}, {sent} are sent now", flush=True)
        return total


def _map(items: list[Any], work: Callable[[Any], Any]) -> list[Any]:
    with ThreadPoolExecutor(_FENCED_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _write_claim(owner: TransactionalProducer, config: WorkerConfig, last: Token | None) -> None:
    """Repeats the last token as a claim of this run. The commit fails if somebody else has opened the id
    since the fencing."""
    claim = replace(last or Token(config.epoch, config.run), run=config.run, claim=True)
    owner.begin()
    owner.send(config.token_topic, claim.to_json(), key_of(owner.name, config.epoch), partition=0)
    owner.commit()
    owner.close()


def _require_position(rows: DataFrame, frame: DataFrame, stream: str) -> None:
    """Raises BrokenStream for a transform that the workers could refuse only after some messages were
    sent."""
    if POSITION not in rows.columns:
        what = (
            f"the transform drops the column {POSITION}, by which an exactly-once topic sink knows what it "
            "has sent"
        )
        way = (
            "end its select with *kept(frame) (jobs.domain.positions), or set "
            'delivery="at-least-once" in the row'
        )
        raise BrokenStream(what, stream, cli=way)
    before, after = _tasks(frame), _tasks(rows)
    if before != after:
        what = (
            f"the transform turns {before} tasks into {after}: an exactly-once topic sink needs each source "
            "partition in one task, in order"
        )
        way = 'remove the union, repartition or aggregation, or set delivery="at-least-once" in the row'
        raise BrokenStream(what, stream, cli=way)


def _tasks(frame: DataFrame) -> int:
    return int(frame._jdf.queryExecution().toRdd().getNumPartitions())


def _error(failure: dict[str, str]) -> CaudalError:
    kinds = {kind.__name__: kind for kind in errors.tree()}
    return kinds[failure["kind"]](failure["what"], failure["where"], cli=failure["cli"])
