"""Two waits of Kafka's C client that a caller need not sit through. It takes a client of confluent-kafka as
it is: the contract imports none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

QUICK_FETCH = {
    "fetch.wait.max.ms": 20
}  # not 500: the end of a partition is told only in the fetch after its last record
_ANSWER_S = 1.0


def meet(client: Any, topic: str) -> None:
    """Two answers from the broker: before the second, the client may find it not connected and look again
    only after half a second."""
    for _ in range(2):
        try:
            client.list_topics(topic, timeout=_ANSWER_S)
        except Exception:
            return


def arrived(consumer: Any, most: int, wait_s: float) -> Iterator[Any]:
    """The next message, waited for, and what has come with it: to ask for `most` at once waits until there
    are as many."""
    if (first := consumer.poll(wait_s)) is not None:
        yield first
        yield from consumer.consume(most, 0)


def id_text(text: str) -> str:
    """A topic's id: the client prints it in plain base64, Kafka's tools in the file-safe form, which is taken
    here."""
    return text.replace("+", "-").replace("/", "_").rstrip("=")
