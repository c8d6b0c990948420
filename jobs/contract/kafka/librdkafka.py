"""Shortens two waits of Kafka's C client. Callers hand over their confluent-kafka client: the contract may
not import it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Instead of 500 ms: the client learns of the end of a partition only in the fetch after its last record.
QUICK_FETCH = {"fetch.wait.max.ms": 20}
_ANSWER_S = 1.0  # a broker on the same network answers within milliseconds


def meet(client: Any, topic: str) -> None:
    """Waits for two answers of the broker. After the first one the client may still lack a connection, and
    would look for it again only after half a second. Errors are ignored: the next real call raises them."""
    for _ in range(2):
        try:
            client.list_topics(topic, timeout=_ANSWER_S)
        except Exception:
            return


def arrived(consumer: Any, most: int, wait_s: float) -> Iterator[Any]:
    """Waits for the next message, then returns it and the messages that have already arrived, at most `most`
    more.

    Consuming `most` messages in one call would wait until there are that many.
    """
    if (first := consumer.poll(wait_s)) is not None:
        yield first
        yield from consumer.consume(most, 0)


def id_text(text: str) -> str:
    """A topic's id in the URL-safe base64 of Kafka's tools. The client prints it in plain base64."""
    return text.replace("+", "-").replace("/", "_").rstrip("=")
