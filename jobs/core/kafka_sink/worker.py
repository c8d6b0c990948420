"""The sending of one Spark task: encoded rows in, Kafka transactions out. Runs in Spark's Python workers;
imports nothing of Spark's SQL.

Rows: key, value (binary), where (text), partition, offset, task: where a row's source record lies, and in
which task it was read. A failure that was foreseen comes back as a result, so that it is one line in the
driver; what was not committed then is not sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import pyarrow

from jobs.contract.disk import failpoints
from jobs.contract.errors import BatchConflict, BrokenStream, CaudalError, Fenced, ServiceError
from jobs.core.kafka_sink.producer import Client, Headers, Transactional, records
from jobs.core.kafka_sink.tokens import Token, id_of, key_of

_UNIT_S = (
    30.0  # a transaction older than this ends with its record: what Spark computes meanwhile may be slow
)
RESULT = "id string, task int, rows long, sent long, failure string"
Batches = Iterator[pyarrow.RecordBatch]


@dataclass(frozen=True)
class Order:
    """What a task is told. `since`: offset on the token topic where this run's claims begin. `batch`,
    `input_digest`: of this micro-batch."""

    client: Client
    stream: str
    generation: int
    epoch: str
    run: str
    topic: str
    token_topic: str
    since: int
    batch: int
    input_digest: str
    unit_records: int

    def id(self, topic: str, partition: int) -> str:
        """Of a source partition; never with the generation, or an old one's open transaction would be
        nobody's."""
        return f"caudal.{self.stream}.{topic}.{partition}"

    @property
    def batch_id(self) -> str:
        return f"caudal.{self.stream}"

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [("caudal-stream", self.stream.encode()), ("caudal-generation", str(self.generation).encode())]


class Outlet:
    """The transactional id of one task, from its opening on; `token` is what is sent already."""

    def __init__(self, order: Order, name: str) -> None:
        self.order, self.name, self.open = order, name, False
        self._kafka = Transactional(order.client, name)
        self.token = self._own_token()

    def _own_token(self) -> Token:
        """The newest under this id. Raises Fenced when another run has claimed it since: then this task
        belongs to a run that is past."""
        found, _ = records(self.order.client, self.order.token_topic, self.order.since)
        own = [Token.from_json(value, self.name) for key, value in found if id_of(key) == self.name]
        if not own:
            raise ServiceError("this run's claim is gone", self.order.token_topic)
        if any((token.epoch, token.run) != (self.order.epoch, self.order.run) for token in own):
            raise Fenced(f"run {own[-1].run} has taken over, this is {self.order.run}", self.name)
        return own[-1]

    def send(self, value: bytes | None, key: bytes | None, headers: Headers) -> None:
        if not self.open:
            self._kafka.begin()
            self.open = True
        self._kafka.send(self.order.topic, value, key, headers)

    @property
    def age_s(self) -> float:
        return self._kafka.age_s

    def hit(self, failpoint: str) -> None:
        """A kill here finds the messages on the broker."""
        if failpoints.armed(failpoint):
            self._kafka.flush()
        failpoints.hit(failpoint)

    def commit(self, token: Token) -> None:
        """The token is the transaction's last record."""
        if not self.open:
            return
        self.hit("sending")
        self._kafka.send(self.order.token_topic, token.to_json(), key_of(self.name, token.epoch), partition=0)
        self.hit("token")
        self._kafka.commit()
        self.open, self.token = False, token
        failpoints.hit("unit")

    def close(self) -> None:
        self._kafka.close()


@dataclass
class _Sent:
    """What one task has done. `seen`: source offset of the newest row; `last`: of the newest that was sent,
    `row` its number in its record."""

    name: str = ""
    rows: int = 0
    sent: int = 0
    in_unit: int = 0
    seen: int = -1
    last: int = -1
    row: int = 0


class PartitionTask:
    """One task of an order by source partitions: its rows are of one partition, in offset order, and go in
    units that end with a record."""

    def __init__(self, order: Order, task: int) -> None:
        self.order, self.task, self.done = order, task, _Sent()
        self.outlet: Outlet | None = None
        self._where: tuple[str, int] = ("", -1)

    def take(self, batch: pyarrow.RecordBatch) -> None:
        offsets = self._checked(batch)
        self.done.rows += len(offsets)
        outlet = self.outlet or self._opened()
        start = int(numpy.searchsorted(offsets, outlet.token.offset(*self._where)))
        keys, values = batch.column(0).to_pylist(), batch.column(1).to_pylist()
        while start < len(offsets):
            if self._full(outlet) and offsets[start] != self.done.last:
                self._commit(outlet)
            room = max(1, self.order.unit_records - self.done.in_unit)
            stop = int(numpy.searchsorted(offsets, offsets[min(start + room, len(offsets)) - 1], "right"))
            self._send(outlet, keys[start:stop], values[start:stop], offsets[start:stop].tolist())
            start = stop

    def finish(self) -> None:
        if self.outlet:
            self._commit(self.outlet)

    def _checked(self, batch: pyarrow.RecordBatch) -> Any:
        """The rows' offsets. Raises BrokenStream unless all rows are of one source partition, of this very
        task, in order."""
        first = batch.column(2)[0].as_py(), batch.column(3)[0].as_py()
        offsets = batch.column(4).to_numpy(zero_copy_only=False)
        here = self._where if self.outlet else first
        fits = (
            _all(batch.column(2), here[0])
            and _all(batch.column(3), here[1])
            and _all(batch.column(5), self.task)
        )
        if not fits or (numpy.diff(offsets) < 0).any() or offsets[0] < self.done.seen:
            what = (
                "the transform mixes the source's partitions or their order (a shuffle, a sort, a union?): "
                "what was sent could not be told"
            )
            raise BrokenStream(
                what,
                self.order.stream,
                cli='keep rows where they are, or set delivery="at-least-once" in the row',
            )
        self._where, self.done.seen = here, int(offsets[-1])
        return offsets

    def _opened(self) -> Outlet:
        self.done.name = self.order.id(*self._where)
        self.outlet = Outlet(self.order, self.done.name)
        return self.outlet

    def _full(self, outlet: Outlet) -> bool:
        return self.done.in_unit >= self.order.unit_records or (outlet.open and outlet.age_s > _UNIT_S)

    def _send(
        self, outlet: Outlet, keys: list[bytes | None], values: list[bytes | None], offsets: list[int]
    ) -> None:
        topic, partition = self._where
        fixed, begin, send, done = self.order.headers, f"{topic}/{partition}/", outlet.send, self.done
        for key, value, offset in zip(keys, values, offsets, strict=True):
            done.row = done.row + 1 if offset == done.last else 0
            done.last = offset
            send(value, key, [*fixed, ("caudal-source", f"{begin}{offset}".encode()), *_numbered(done.row)])
        done.sent += len(offsets)
        done.in_unit += len(offsets)

    def _commit(self, outlet: Outlet) -> None:
        topic, partition = self._where
        outlet.commit(
            Token(self.order.epoch, self.order.run, next={topic: {str(partition): self.done.last + 1}})
        )
        self.done.in_unit = 0


class BatchTask:
    """The one task of an order by batch: all of the batch in one transaction, or nothing when it is there
    already."""

    def __init__(self, order: Order, task: int) -> None:
        self.order, self.task, self.done = order, task, _Sent(order.batch_id)
        self.outlet: Outlet | None = None
        self._there = False

    def take(self, batch: pyarrow.RecordBatch) -> None:
        self.done.rows += batch.num_rows
        self.outlet = self.outlet or self._opened()
        if self._there:
            return
        fixed = self.order.headers
        for key, value, where in zip(*(batch.column(i).to_pylist() for i in range(3)), strict=True):
            self.outlet.send(
                value, key, [*fixed, ("caudal-source", where.encode())] if where is not None else fixed
            )
        self.done.sent += batch.num_rows

    def finish(self) -> None:
        if self.outlet and not self._there:
            self.outlet.commit(
                Token(
                    self.order.epoch,
                    self.order.run,
                    batch=self.order.batch,
                    input_digest=self.order.input_digest,
                )
            )

    def _opened(self) -> Outlet:
        """Raises BatchConflict when this batch, or a later one, was sent from other input."""
        outlet, order = Outlet(self.order, self.done.name), self.order
        sent, digest = outlet.token.batch, outlet.token.input_digest
        if sent > order.batch or (sent == order.batch and digest != order.input_digest):
            raise BatchConflict(
                f"batch {sent} was sent from other input, this is batch {order.batch}", order.token_topic
            )
        self._there = sent == order.batch
        return outlet


def by_partition(order: Order) -> Callable[[Batches], Batches]:
    """For mapInArrow, before anything was shuffled."""
    return lambda batches: _work(order, PartitionTask, batches)


def by_batch(order: Order) -> Callable[[Batches], Batches]:
    """For mapInArrow on a single partition."""
    return lambda batches: _work(order, BatchTask, batches)


def _work(order: Order, kind: type[PartitionTask] | type[BatchTask], batches: Batches) -> Batches:
    from pyspark import TaskContext

    context = TaskContext.get()
    work, failure = kind(order, context.partitionId() if context else 0), ""
    try:
        for batch in batches:
            if batch.num_rows:
                work.take(batch)
        work.finish()
    except CaudalError as error:
        failure = json.dumps(
            {"kind": type(error).__name__, "what": error.what, "where": error.where, "cli": error.way_cli}
        )
        for _ in batches:
            pass  # Spark wants its rows taken
    finally:
        if work.outlet:
            work.outlet.close()
    done = work.done
    yield pyarrow.RecordBatch.from_pydict(
        {
            "id": [done.name],
            "task": pyarrow.array([work.task], pyarrow.int32()),
            "rows": [done.rows],
            "sent": [done.sent],
            "failure": [failure],
        }
    )


def _all(column: Any, value: object) -> bool:
    import pyarrow.compute as pc

    return column.null_count == 0 and bool(pc.all(pc.equal(column, value)).as_py())


def _numbered(row: int) -> list[tuple[str, bytes]]:
    """The second and later rows of one source record say which they are."""
    return [("caudal-row", str(row).encode())] if row else []
