"""The worker side of the Kafka sink: one Spark task sends its encoded rows in Kafka transactions.

It runs in Spark's Python workers and imports nothing of Spark SQL. Its rows have the columns key and value
(binary), where (text), partition and offset (the source record of the row), and task (the task that read it).
A foreseen failure is returned as a result row, so that the driver reports it in one line instead of a Spark
stack trace. What was not committed by then was not sent.
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
from jobs.core.kafka_sink.producer import Client, Headers, TransactionalProducer, records
from jobs.core.kafka_sink.tokens import Token, id_of, key_of

# Seconds. An older transaction is committed at the next record. Spark may compute slowly between two rows,
# and neither the broker's timeout nor read_committed consumers should wait for that.
_TRANSACTION_S = 30.0
RESULT = "id string, task int, rows long, sent long, failure string"
Batches = Iterator[pyarrow.RecordBatch]


@dataclass(frozen=True)
class WorkerConfig:
    """What the driver sends to each task. `claims_start`: offset on the token topic where this run's claims
    begin. `transaction_records`: a transaction ends with the source record that reaches this number. `batch`
    and `input_digest` identify the micro-batch."""

    client: Client
    stream: str
    generation: int
    epoch: str
    run: str
    topic: str
    token_topic: str
    claims_start: int
    batch: int
    input_digest: str
    transaction_records: int

    def id(self, topic: str, partition: int) -> str:
        """The transactional id for a source partition. It does not contain the generation: otherwise no
        producer would abort the open transaction of an old generation, and it would block consumers until it
        times out."""
        return f"caudal.{self.stream}.{topic}.{partition}"

    @property
    def batch_id(self) -> str:
        return f"caudal.{self.stream}"

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [("caudal-stream", self.stream.encode()), ("caudal-generation", str(self.generation).encode())]


class TaskProducer:
    """The transactional producer of one task. `token`: what was already sent under its id."""

    def __init__(self, config: WorkerConfig, name: str) -> None:
        self.config, self.name, self.open = config, name, False
        self._producer = TransactionalProducer(config.client, name)
        self.token = self._own_token()

    def _own_token(self) -> Token:
        """The newest token of this id. Raises Fenced when a later run has claimed the id: then this task
        belongs to a run that is over."""
        entries, _ = records(self.config.client, self.config.token_topic, self.config.claims_start)
        own = [Token.from_json(value, self.name) for key, value in entries if id_of(key) == self.name]
        if not own:
            raise ServiceError("this run's claim is gone", self.config.token_topic)
        # Any foreign token counts, not only the newest one: in no order of events may both runs commit
        # (decision 0010).
        if any((token.epoch, token.run) != (self.config.epoch, self.config.run) for token in own):
            raise Fenced(f"run {own[-1].run} has taken over from this run, {self.config.run}", self.name)
        return own[-1]

    def send(self, value: bytes | None, key: bytes | None, headers: Headers) -> None:
        if not self.open:
            self._producer.begin()
            self.open = True
        self._producer.send(self.config.topic, value, key, headers)

    @property
    def age_s(self) -> float:
        return self._producer.age_s

    def hit(self, failpoint: str) -> None:
        """Passes a failpoint. If it is armed, the messages are flushed first, so that the kill leaves them on
        the broker."""
        if failpoints.armed(failpoint):
            self._producer.flush()
        failpoints.hit(failpoint)

    def commit(self, token: Token) -> None:
        """Sends the token as the transaction's last record, and commits. Both appear together or not at
        all."""
        if not self.open:
            return
        self.hit("sending")
        self._producer.send(
            self.config.token_topic, token.to_json(), key_of(self.name, token.epoch), partition=0
        )
        self.hit("token")
        self._producer.commit()
        self.open, self.token = False, token
        failpoints.hit("unit")

    def close(self) -> None:
        self._producer.close()


@dataclass
class _Progress:
    """What one task has done so far. `seen`: source offset of the newest row. `last`: source offset of the
    newest row that was sent. `row`: number of that row among the rows of its source record."""

    name: str = ""
    rows: int = 0
    sent: int = 0
    in_transaction: int = 0
    seen: int = -1
    last: int = -1
    row: int = 0


class PartitionTask:
    """Sends the rows of one source partition, in offset order. Each transaction ends with a complete source
    record: a token is an offset, and cannot name a part of a record."""

    def __init__(self, config: WorkerConfig, task: int) -> None:
        self.config, self.task, self.progress = config, task, _Progress()
        self.producer: TaskProducer | None = None
        self._source: tuple[str, int] = ("", -1)

    def take(self, batch: pyarrow.RecordBatch) -> None:
        offsets = self._checked(batch)
        self.progress.rows += len(offsets)
        producer = self.producer or self._opened()
        start = int(numpy.searchsorted(offsets, producer.token.offset(*self._source)))
        keys, values = batch.column(0).to_pylist(), batch.column(1).to_pylist()
        while start < len(offsets):
            if self._full(producer) and offsets[start] != self.progress.last:
                self._commit(producer)
            room = max(1, self.config.transaction_records - self.progress.in_transaction)
            stop = int(numpy.searchsorted(offsets, offsets[min(start + room, len(offsets)) - 1], "right"))
            self._send(producer, keys[start:stop], values[start:stop], offsets[start:stop].tolist())
            start = stop

    def finish(self) -> None:
        if self.producer:
            self._commit(self.producer)

    def _checked(self, batch: pyarrow.RecordBatch) -> Any:
        """The offsets of the rows. Raises BrokenStream unless all rows come from one source partition, were
        read by this task, and are in order."""
        first = batch.column(2)[0].as_py(), batch.column(3)[0].as_py()
        offsets = batch.column(4).to_numpy(zero_copy_only=False)
        here = self._source if self.producer else first
        fits = (
            _all_equal(batch.column(2), here[0])
            and _all_equal(batch.column(3), here[1])
            and _all_equal(batch.column(5), self.task)
        )
        if not fits or (numpy.diff(offsets) < 0).any() or offsets[0] < self.progress.seen:
            what = (
                "the transform mixes source partitions or changes their order (a shuffle, a sort or a "
                "union), so the sink could not know what it has sent"
            )
            way = 'keep the rows in their partition and order, or set delivery="at-least-once" in the row'
            raise BrokenStream(what, self.config.stream, cli=way)
        self._source, self.progress.seen = here, int(offsets[-1])
        return offsets

    def _opened(self) -> TaskProducer:
        self.progress.name = self.config.id(*self._source)
        self.producer = TaskProducer(self.config, self.progress.name)
        return self.producer

    def _full(self, producer: TaskProducer) -> bool:
        return self.progress.in_transaction >= self.config.transaction_records or (
            producer.open and producer.age_s > _TRANSACTION_S
        )

    def _send(
        self, producer: TaskProducer, keys: list[bytes | None], values: list[bytes | None], offsets: list[int]
    ) -> None:
        topic, partition = self._source
        fixed, progress = self.config.headers, self.progress
        for key, value, offset in zip(keys, values, offsets, strict=True):
            progress.row = progress.row + 1 if offset == progress.last else 0
            progress.last = offset
            source = ("caudal-source", f"{topic}/{partition}/{offset}".encode())
            producer.send(value, key, [*fixed, source, *_row_header(progress.row)])
        progress.sent += len(offsets)
        progress.in_transaction += len(offsets)

    def _commit(self, producer: TaskProducer) -> None:
        topic, partition = self._source
        producer.commit(
            Token(self.config.epoch, self.config.run, next={topic: {str(partition): self.progress.last + 1}})
        )
        self.progress.in_transaction = 0


class BatchTask:
    """Sends a whole batch in one transaction, or nothing if the batch was already sent."""

    def __init__(self, config: WorkerConfig, task: int) -> None:
        self.config, self.task, self.progress = config, task, _Progress(config.batch_id)
        self.producer: TaskProducer | None = None
        self._sent_before = False

    def take(self, batch: pyarrow.RecordBatch) -> None:
        self.progress.rows += batch.num_rows
        self.producer = self.producer or self._opened()
        if self._sent_before:
            return
        fixed = self.config.headers
        for key, value, where in zip(*(batch.column(i).to_pylist() for i in range(3)), strict=True):
            self.producer.send(
                value, key, [*fixed, ("caudal-source", where.encode())] if where is not None else fixed
            )
        self.progress.sent += batch.num_rows

    def finish(self) -> None:
        if self.producer and not self._sent_before:
            config = self.config
            self.producer.commit(
                Token(config.epoch, config.run, batch=config.batch, input_digest=config.input_digest)
            )

    def _opened(self) -> TaskProducer:
        """Raises BatchConflict when this batch was sent from other input, or a later batch was sent."""
        producer, config = TaskProducer(self.config, self.progress.name), self.config
        sent, digest = producer.token.batch, producer.token.input_digest
        if sent > config.batch or (sent == config.batch and digest != config.input_digest):
            raise BatchConflict(
                f"batch {sent} was sent from other input, this is batch {config.batch}", config.token_topic
            )
        self._sent_before = sent == config.batch
        return producer


def by_partition(config: WorkerConfig) -> Callable[[Batches], Batches]:
    """The function for mapInArrow on a frame that was not shuffled: each task has one source partition."""
    return lambda batches: _work(config, PartitionTask, batches)


def by_batch(config: WorkerConfig) -> Callable[[Batches], Batches]:
    """The function for mapInArrow on a frame with a single partition."""
    return lambda batches: _work(config, BatchTask, batches)


def _work(config: WorkerConfig, kind: type[PartitionTask] | type[BatchTask], batches: Batches) -> Batches:
    from pyspark import TaskContext

    context = TaskContext.get()
    work, failure = kind(config, context.partitionId() if context else 0), ""
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
            pass  # Spark waits until its rows are read, even if they are not needed any more
    finally:
        if work.producer:
            work.producer.close()
    progress = work.progress
    yield pyarrow.RecordBatch.from_pydict(
        {
            "id": [progress.name],
            "task": pyarrow.array([work.task], pyarrow.int32()),
            "rows": [progress.rows],
            "sent": [progress.sent],
            "failure": [failure],
        }
    )


def _all_equal(column: Any, value: object) -> bool:
    import pyarrow.compute as pc

    return column.null_count == 0 and bool(pc.all(pc.equal(column, value)).as_py())


def _row_header(row: int) -> list[tuple[str, bytes]]:
    """A header with the row's number, for the second and later rows of one source record."""
    return [("caudal-row", str(row).encode())] if row else []
