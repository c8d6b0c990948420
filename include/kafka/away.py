"""One answer to "no broker answers": whether it does answer, and sends its clients elsewhere."""

from __future__ import annotations

from include.kafka.connection import Connection
from jobs.contract.errors import BrokerDown
from jobs.contract.kafka import advertised


def explained(what: str, connection: Connection) -> BrokerDown:
    """BrokerDown with `what`; BrokerUnreachable, with the addresses, when the broker is there and advertises what cannot be reached from here."""
    from confluent_kafka.admin import AdminClient

    return advertised.explained(BrokerDown(what, connection.bootstrap), AdminClient, connection.librdkafka())
