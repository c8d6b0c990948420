"""Transactions that other producers leave open on a stream's topics, and how they end: committed or aborted
by their owner, or by their time limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from include.kafka import connection, offsets
from jobs.contract.deadline import until

if TYPE_CHECKING:
    from include.torture.topic_world import TopicWorld

_QUICK_MS, _LONG_MS = 10_000, 600_000
_CALL_S = 60.0  # of one call into the client: the broker may just have been started again
_UNDECIDED_S = 60.0  # Kafka looks for transactions past their time every 10 s


@dataclass
class Hanging:
    """One open transaction. `end`: aborted, committed (source only) or timed out; `due`: the records that
    count if it is committed."""

    world: TopicWorld
    where: str
    end: str
    name: str
    due: list[tuple[str, int]] = field(default_factory=list)
    producer: Any = None

    def __str__(self) -> str:
        return f"{self.where} transaction left open, {self.end}; "

    @property
    def topic(self) -> str:
        return self.world.source if self.where == "source" else self.world.sink

    def settle(self) -> None:
        """Ends it, and waits until consumers of committed records see that it has ended."""
        if self.end == "committed":
            self.producer.commit_transaction(_CALL_S)
            self.world.sent.update(self.due)
        elif self.end == "aborted":
            _producer(
                self.world, self.name, _LONG_MS
            )  # the next owner of the id: opening it aborts what is open
        decided = until(self._decided, _UNDECIDED_S, 0.2)
        assert decided, f"a transaction on {self.topic} is not decided"

    def _decided(self) -> bool:
        now = offsets.positions(self.world.settings, self.topic)
        return now.decided == now.end


def _producer(world: TopicWorld, name: str, timeout_ms: int) -> Any:
    from confluent_kafka import Producer

    own = {"transactional.id": name, "transaction.timeout.ms": timeout_ms, "log_level": 0}
    producer = Producer({**connection.connect(world.settings).librdkafka(), **own})
    producer.init_transactions(_CALL_S)
    return producer


def leave(world: TopicWorld, dice: Random) -> Hanging:
    """Opens one on the source or the sink; its records are on the broker when this returns.

    The source's last partition stays free of it: with all of them held back a run would find nothing to read,
    and there would be nothing to kill.
    """
    where = dice.choice(("source", "sink"))
    end = dice.choice(("aborted", "timed out", *(("committed",) * 2 if where == "source" else ())))
    hanging = Hanging(world, where, end, f"stranger-{dice.randrange(1 << 30)}")
    hanging.producer = _producer(world, hanging.name, _QUICK_MS if end == "timed out" else _LONG_MS)
    hanging.producer.begin_transaction()
    for _ in range(dice.randint(1, 20)):
        if where == "source":
            partition = dice.randrange(world.partitions - 1)
            due, value = world.next_document(partition)
            hanging.due.append(due)
            hanging.producer.produce(hanging.topic, value, due[0].encode(), partition)
        else:
            hanging.producer.produce(hanging.topic, b'{"never": "committed"}', b"stranger", dice.randrange(3))
    assert hanging.producer.flush(_CALL_S) == 0
    return hanging
