"""Checks that the source topic is still the one that the batch was planned from.

If the topic is deleted and created again while a run reads it, Spark reads other records at the same offsets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confluent_kafka.admin import AdminClient

from jobs.contract.errors import TopicMissing, TopicRecreated
from jobs.contract.kafka import connection, librdkafka
from jobs.contract.run.spec import RunSpec
from jobs.contract.stream import Topic
from jobs.core.kafka_sink.producer import Client
from jobs.core.kafka_sink.token_topic import settled_id

_NO_TRANSACTION_MS = 1000  # Client wants a transaction timeout, but this client begins no transaction


@dataclass
class SourceTopic:
    """The check for one run. It does not contact the broker for other sources, or if the generation does not
    know the topic's id."""

    spec: RunSpec
    _admin: Any = None

    def require_same(self) -> None:
        """Raises TopicRecreated, TopicMissing, BrokerDown, …"""
        source = self.spec.stream.source
        if not isinstance(source, Topic) or not self.spec.source_id:
            return
        if self._admin is None:
            self._admin = AdminClient(
                Client(connection.of_run(self.spec).librdkafka(), _NO_TRANSACTION_MS).quiet()
            )
        current = settled_id(self._admin, source.name)
        if current is None:
            raise TopicMissing("the broker has no such topic any more", source.name)
        if (now := librdkafka.id_text(current)) != self.spec.source_id:
            raise TopicRecreated(
                f"topic id {now} now, {self.spec.source_id} when this generation began", source.name
            )
