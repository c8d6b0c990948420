"""Is the source topic still the one whose offsets the batch was planned by? Made anew while a run reads it,
it would be read at the old offsets."""

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

_NO_TRANSACTION_MS = 1000


@dataclass
class SourceTopic:
    """Of one run. Nothing is asked of the broker for another source, or where the generation does not know
    the topic's id."""

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
        found = settled_id(self._admin, source.name)
        if found is None:
            raise TopicMissing("the broker has no such topic any more", source.name)
        if (now := librdkafka.id_text(found)) != self.spec.source_id:
            raise TopicRecreated(
                f"topic id {now} now, {self.spec.source_id} when this generation began", source.name
            )
