"""The exactly-once Kafka sink, in the driver: fence, read the tokens, claim; then let the tasks send.
docs/decisions tells why in this order.

- *Fence* every id this stream ever used: a producer of a killed run is shut out, its open transaction is resolved. Before that the tokens
  behind an open transaction are hidden, and messages would be sent twice.
- *Claim* every id, under the id itself: a worker of a killed run that wakes up later finds the claim and stops.
- A record below its partition's token is sent already and dropped; the next token goes with the next records, in one transaction.
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
from jobs.core.kafka_sink import producer as transactional
from jobs.core.kafka_sink import token_topic, worker
from jobs.core.kafka_sink.producer import Client, Transactional
from jobs.core.kafka_sink.tokens import Token, id_of, key_of, newest
from jobs.core.kafka_sink.worker import Order
from jobs.core.write import sinks
from jobs.domain.positions import POSITION

_BROKERS_MAXIMUM_MS = 900_000  # transaction.max.timeout.ms, unless a broker says otherwise
_TIMEOUTS_MS = (_BROKERS_MAXIMUM_MS, 300_000, 60_000)  # tried in turn where the broker allows less
_AT_ONCE = 16  # ids that are fenced at the same time: each costs two round trips


@dataclass
class Sending:
    """The transactional sink of one run. Nothing is asked of the broker before the first batch that has
    something to send.

    `planned`: newest batch that was planned before this run.
    """

    spec: RunSpec
    planned: int
    _client: Client | None = None
    _since: int = -1
    _claimed: set[str] = field(default_factory=set)

    def send(self, rows: DataFrame, frame: DataFrame, plan: BatchPlan) -> int:
        """Sends what of `rows` (made of `frame`, the batch) was not sent before; the number of rows, sent now
        or before.

        Raises BrokenStream before anything is sent when the rows have lost their position, and the sink's
        named errors.
        """
        by_partition, order = self._by_partition, self._order(plan)
        wanted = {order.id(t, int(p)) for t, p in plan.ranges()} if by_partition else {order.batch_id}
        with ThreadPoolExecutor(1) as beside:  # half a second of waiting for the broker, while Spark plans
            claimed = beside.submit(self._claim, wanted, plan)
            if by_partition:
                _require_position(rows, frame, self.spec.stream.name)
        claimed.result()
        order = self._order(plan)
        encoded = rows.select(*self._columns(rows))
        work = worker.by_partition(order) if by_partition else worker.by_batch(order)
        results = (encoded if by_partition else encoded.coalesce(1)).mapInArrow(work, worker.RESULT).collect()
        failpoints.hit("sent")
        return self._total(results)

    @property
    def _by_partition(self) -> bool:
        """Else by batch: files have no offsets, and what a stateful transform gives comes from no single
        record."""
        return isinstance(self.spec.stream.source, Topic) and not self.spec.stream.stateful

    def _order(self, plan: BatchPlan) -> Order:
        sink, tokens = self.spec.stream.sink, self.spec.stream.tokens
        assert isinstance(sink, Topic) and tokens  # noqa: S101 - the caller's condition
        return Order(
            client=self._client or self._new_client(_TIMEOUTS_MS[0]),
            stream=self.spec.stream.name,
            generation=self.spec.generation,
            epoch=f"{plan.query_id}/{self.spec.rewinds}",
            run=self.spec.run_id,
            topic=sink.name,
            token_topic=tokens.name,
            since=self._since,
            batch=plan.batch,
            input_digest=plan.input_digest,
            unit_records=self.spec.stream.limits.transaction_records,
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
        """Once a run, and again should a batch bring a partition that no batch before it had."""
        if wanted <= self._claimed:
            return
        order = self._order(plan)
        token_topic.require_sink(order.client, order.topic)
        token_topic.require(self.spec, order, self.planned)
        ever, _ = transactional.records(order.client, order.token_topic, 0, committed=False)
        ids = sorted((wanted | {id_of(key) for key, _ in ever}) - self._claimed)
        self._client, producers = self._fenced(ids)
        failpoints.hit("fenced")
        found, end = transactional.records(self._client, order.token_topic, 0)
        self._since = end if self._since < 0 else self._since
        _each(
            producers,
            lambda producer: _write_claim(producer, order, newest(found, producer.name, order.epoch)),
        )
        self._claimed |= set(ids)
        failpoints.hit("claimed")

    def _fenced(self, ids: list[str]) -> tuple[Client, list[Transactional]]:
        """A producer for each id, and the client it was made with: the longest transactions that the broker
        allows."""
        for most_ms in _TIMEOUTS_MS:
            client = self._client or self._new_client(most_ms)
            try:
                return client, _each(ids, partial(Transactional, client))
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
            print(
                f"{total - sent} of {total} messages had been sent by an earlier attempt, {sent} are sent now",
                flush=True,
            )
        return total


def _each(items: list[Any], work: Callable[[Any], Any]) -> list[Any]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _write_claim(producer: Transactional, order: Order, last: Token | None) -> None:
    """Takes over the last token. It is committed only if nobody else has opened this id since the fencing."""
    claim = replace(last or Token(order.epoch, order.run), run=order.run, claim=True)
    producer.begin()
    producer.send(order.token_topic, claim.to_json(), key_of(producer.name, order.epoch), partition=0)
    producer.commit()
    producer.close()


def _require_position(rows: DataFrame, frame: DataFrame, stream: str) -> None:
    """Raises BrokenStream for what would be told apart only after something was sent."""
    if POSITION not in rows.columns:
        what = (
            f"the transform drops the column {POSITION}, by which an exactly-once topic sink knows what it "
            "has sent"
        )
        way = 'end its select with *kept(frame) (jobs.domain.positions), or set delivery="at-least-once" in the row'
        raise BrokenStream(what, stream, cli=way)
    made, read = _tasks(rows), _tasks(frame)
    if made != read:
        what = (
            f"the transform makes {made} tasks of {read}: an exactly-once topic sink needs each source "
            "partition in one task, in order"
        )
        raise BrokenStream(
            what,
            stream,
            cli='take out the union, repartition or aggregation, or set delivery="at-least-once" in the row',
        )


def _tasks(frame: DataFrame) -> int:
    return int(frame._jdf.queryExecution().toRdd().getNumPartitions())


def _error(failure: dict[str, str]) -> CaudalError:
    kinds = {kind.__name__: kind for kind in errors.tree()}
    return kinds[failure["kind"]](failure["what"], failure["where"], cli=failure["cli"])
