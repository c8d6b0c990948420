"""Finds this home's broker. How clients talk to it is in jobs.contract.kafka.connection, which the Spark side
shares."""

from __future__ import annotations

import json

from include.settings import Settings
from jobs.contract.errors import BrokerDown, ConfigError
from jobs.contract.kafka import properties as java
from jobs.contract.kafka.connection import Connection, Login, from_properties

__all__ = ["Connection", "Login", "bootstrap", "connect", "from_properties"]


def bootstrap(settings: Settings) -> str:
    """host:port[,…] of the configured broker, or of this home's embedded one. Raises BrokerDown if that was
    never started."""
    if settings.kafka_bootstrap:
        return settings.kafka_bootstrap
    ports = settings.layout.state / "ports.json"
    try:
        port = int(json.loads(ports.read_bytes())["kafka"])
    except (FileNotFoundError, KeyError):
        raise BrokerDown("this home has no running broker", ports, cli="start it with ./caudal up") from None
    except (ValueError, TypeError):
        raise ConfigError(
            "not a JSON object of ports", ports, cli="./caudal down, then ./caudal up writes it again"
        ) from None
    return f"127.0.0.1:{port}"


def connect(settings: Settings) -> Connection:
    """The connection that all clients of this home use. Opens nothing. Raises BrokerDown, or ConfigError with
    the key that cannot be used."""
    servers, path = bootstrap(settings), settings.kafka_properties
    if path is None:
        return Connection(servers)
    if settings.embedded_kafka:
        raise ConfigError(
            "CAUDAL_KAFKA_PROPERTIES is set without CAUDAL_KAFKA_BOOTSTRAP",
            path,
            cli="set both, or neither for the embedded broker",
        )
    return from_properties(servers, java.read(path), path)
