"""Distinguishes a broker that does not answer from one that answers but sends its clients to addresses they
cannot reach."""

from __future__ import annotations

from include.kafka.connection import Connection
from jobs.contract.errors import BrokerDown
from jobs.contract.kafka import advertised


def explained(what: str, connection: Connection) -> BrokerDown:
    """BrokerDown with `what`. BrokerUnreachable, with the addresses, if the broker is there and advertises
    addresses that cannot be reached from here."""
    from confluent_kafka.admin import AdminClient

    return advertised.explained(BrokerDown(what, connection.bootstrap), AdminClient, connection.librdkafka())
