"""Transactions that producers of nobody's stream leave open on its topics, and how they end: by their owner, its successor, or their time limit."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from include.kafka import connection, offsets
from jobs.core.kafka_sink.producer import Client, TransactionalProducer

if TYPE_CHECKING:
    from include.torture.topic_world import World

_QUICK_MS, _LONG_MS = 10_000, 600_000
_UNDECIDED_S = 60.0  # Kafka looks for transactions past their time every 10 s


@dataclass
class Hanging:
    """One open transaction. `end`: aborted, committed (source only) or timed out; `due`: the records that count if it is committed."""

    world: World
    where: str
    end: str
    due: list[tuple[str, int]] = field(default_factory=list)
    producer: Any = None

    def __str__(self) -> str:
        return f"{self.where} transaction left open, {self.end}; "

    def settle(self) -> None:
        """Ends it, and waits until readers of committed records see it ended."""
        if self.end == "committed":
            self.producer.commit()
            self.world.sent.update(self.due)
        elif self.end == "aborted":
            TransactionalProducer(_client(self.world, _LONG_MS), self.producer.name)  # its successor
        topic, until_s = (
            self.world.source if self.where == "source" else self.world.sink,
            time.monotonic() + _UNDECIDED_S,
        )
        while (found := offsets.positions(self.world.settings, topic)).decided != found.end:
            assert time.monotonic() < until_s, f"a transaction on {topic} is not decided"
            time.sleep(0.2)


def _client(world: World, timeout_ms: int) -> Client:
    return Client(connection.connect(world.settings).librdkafka(), timeout_ms)


def leave(world: World, dice: Random) -> Hanging:
    """Opens one on the source or the sink; its records are on the broker when this returns. The source's last partition stays free of it: with all
    held back a run finds nothing to read, and there would be nothing to kill."""
    where = dice.choice(("source", "sink"))
    end = dice.choice(("aborted", "timed out", *(("committed",) * 2 if where == "source" else ())))
    name = f"stranger-{dice.randrange(1 << 30)}"
    hanging = Hanging(
        world,
        where,
        end,
        producer=TransactionalProducer(_client(world, _QUICK_MS if end == "timed out" else _LONG_MS), name),
    )
    hanging.producer.begin()
    for _ in range(dice.randint(1, 20)):
        if where == "source":
            partition = dice.randrange(world.partitions - 1)
            due, value = world.next_document(partition)
            hanging.producer.send(world.source, value, due[0].encode(), partition=partition)
            hanging.due.append(due)
        else:
            hanging.producer.send(
                world.sink, b'{"never": "committed"}', b"stranger", partition=dice.randrange(3)
            )
    hanging.producer.flush()
    return hanging
