"""How to reach the broker: translates one Java properties file into the options of each Kafka client.

Java's keys, and the keys for confluent-kafka and kafka-python:

- security.protocol: the same; security_protocol
- sasl.mechanism and sasl.jaas.config: sasl.mechanism, sasl.username, sasl.password; sasl_mechanism,
  sasl_plain_username, sasl_plain_password
- ssl.truststore.location (PEM): ssl.ca.location; ssl_cafile
- ssl.keystore.location (PEM) and ssl.key.password: ssl.certificate.location, ssl.key.location,
  ssl.key.password; ssl_certfile, ssl_keyfile, ssl_password
- ssl.endpoint.identification.algorithm (empty: none): the same; ssl_check_hostname
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.contract.errors import ConfigError
from jobs.contract.kafka import properties as properties_file
from jobs.contract.run.spec import RunSpec

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
# Logins other than these (Kerberos, OAuth, delegation tokens) need libraries or callbacks that differ between
# the clients.
_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_KEYS = frozenset(
    {
        "bootstrap.servers",
        "client.id",
        "request.timeout.ms",
        "security.protocol",
        "sasl.mechanism",
        "sasl.jaas.config",
        "ssl.truststore.type",
        "ssl.truststore.location",
        "ssl.keystore.type",
        "ssl.keystore.location",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
    }
)
_JAAS = re.compile(r"\s*([\w.]+)\s+required\s+(.*?);\s*", re.DOTALL)
_JAAS_OPTION = re.compile(
    r"""\s*(\w+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s"';]+))\s*""", re.DOTALL
)


@dataclass(frozen=True)
class Login:
    mechanism: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Connection:
    """A broker's address and checked client properties. Neither repr nor errors show values of
    `properties`."""

    bootstrap: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    login: Login | None = None

    def librdkafka(self) -> dict[str, Any]:
        """Options for confluent-kafka. It logs nothing, because failed calls raise errors."""
        return {
            "bootstrap.servers": self.bootstrap,
            "log_level": 0,
            **self._mapped(_LIBRDKAFKA),
            **self._login(_LIBRDKAFKA_LOGIN),
        }

    def kafka_python(self) -> dict[str, Any]:
        """Options for kafka-python's KafkaAdminClient, KafkaConsumer and KafkaProducer."""
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            **self._mapped(_KAFKA_PYTHON),
            **self._login(_KAFKA_PYTHON_LOGIN),
        }

    def spark(self) -> dict[str, str]:
        """Options of Spark's Kafka source and sink."""
        return {f"kafka.{k}": v for k, v in self.properties.items()} | {
            "kafka.bootstrap.servers": self.bootstrap
        }

    def _mapped(self, words: Mapping[str, Callable[[str], dict[str, Any]]]) -> dict[str, Any]:
        return {
            k: v
            for key, value in self.properties.items()
            if key in words
            for k, v in words[key](value).items()
        }

    def _login(self, words: tuple[str, str, str]) -> dict[str, str]:
        if self.login is None:
            return {}
        return dict(zip(words, (self.login.mechanism, self.login.username, self.login.password), strict=True))


_LIBRDKAFKA: dict[str, Callable[[str], dict[str, Any]]] = {
    "client.id": lambda v: {"client.id": v},
    "request.timeout.ms": lambda v: {"socket.timeout.ms": int(v)},
    "security.protocol": lambda v: {"security.protocol": v},
    "ssl.truststore.location": lambda v: {"ssl.ca.location": v},
    # a PEM keystore has the certificate and the private key in one file
    "ssl.keystore.location": lambda v: {"ssl.certificate.location": v, "ssl.key.location": v},
    "ssl.key.password": lambda v: {"ssl.key.password": v},
    "ssl.endpoint.identification.algorithm": lambda v: {"ssl.endpoint.identification.algorithm": v or "none"},
}
_LIBRDKAFKA_LOGIN = ("sasl.mechanism", "sasl.username", "sasl.password")
_KAFKA_PYTHON: dict[str, Callable[[str], dict[str, Any]]] = {
    "client.id": lambda v: {"client_id": v},
    "request.timeout.ms": lambda v: {"request_timeout_ms": int(v)},
    "security.protocol": lambda v: {"security_protocol": v},
    "ssl.truststore.location": lambda v: {"ssl_cafile": v},
    "ssl.keystore.location": lambda v: {"ssl_certfile": v, "ssl_keyfile": v},
    "ssl.key.password": lambda v: {"ssl_password": v},
    "ssl.endpoint.identification.algorithm": lambda v: {"ssl_check_hostname": bool(v)},
}
_KAFKA_PYTHON_LOGIN = ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


def of_run(spec: RunSpec) -> Connection:
    """The connection of a run. The properties file is read here, in the driver, so that its secrets appear
    neither in spec.json nor in a log. Raises ConfigError."""
    given = properties_file.read(Path(spec.kafka_properties)) if spec.kafka_properties else {}
    return from_properties(spec.bootstrap, given, spec.kafka_properties)


def from_properties(servers: str, properties: Mapping[str, str], where: object = "") -> Connection:
    """Checks every key, so that no client silently ignores one. Raises ConfigError with key and reason, but
    without the value of a secret."""
    unknown = sorted(set(properties) - _KEYS)
    if unknown:
        raise ConfigError(
            f"{unknown[0]} has no counterpart in all three Kafka clients; known keys: "
            f"{', '.join(sorted(_KEYS))}",
            where,
        )
    if properties.get("bootstrap.servers", servers) != servers:
        raise ConfigError("bootstrap.servers differs from CAUDAL_KAFKA_BOOTSTRAP", where)
    protocol = properties.get("security.protocol", "PLAINTEXT")
    if protocol not in _PROTOCOLS:
        raise ConfigError(f"security.protocol={protocol} is not one of {', '.join(_PROTOCOLS)}", where)
    if not properties.get("request.timeout.ms", "1").isdigit():
        raise ConfigError("request.timeout.ms is not a number of milliseconds", where)
    for store in ("truststore", "keystore"):
        _check_store(properties, store, where)
    return Connection(
        servers, dict(properties), _login(properties, where) if protocol.startswith("SASL_") else None
    )


def _check_store(properties: Mapping[str, str], store: str, where: object) -> None:
    location, kind = properties.get(f"ssl.{store}.location"), properties.get(f"ssl.{store}.type", "JKS")
    if location is None:
        return
    if kind != "PEM":
        raise ConfigError(
            f"ssl.{store}.type={kind} can only be read by Java; the Python clients need ssl.{store}.type=PEM",
            where,
        )
    if not Path(location).is_file():
        raise ConfigError(f"ssl.{store}.location does not name a file", location)


def _login(properties: Mapping[str, str], where: object) -> Login:
    mechanism = properties.get("sasl.mechanism", "GSSAPI")  # Kafka's default, which is not supported here
    if mechanism not in _LOGIN_MODULES:
        raise ConfigError(f"sasl.mechanism={mechanism} is not one of {', '.join(_LOGIN_MODULES)}", where)
    match = _JAAS.fullmatch(properties.get("sasl.jaas.config", ""))
    if match is None or match[1] != _LOGIN_MODULES[mechanism]:
        raise ConfigError(
            f'sasl.jaas.config is not: {_LOGIN_MODULES[mechanism]} required username="…" password="…";', where
        )
    options = _jaas_options(match[2])
    if options.keys() != {"username", "password"}:
        raise ConfigError("sasl.jaas.config must have username and password, and nothing else", where)
    return Login(mechanism, options["username"], options["password"])


def _jaas_options(text: str) -> dict[str, str]:
    """The name="value" pairs; {} when there is anything else in the text."""
    options, end = {}, 0
    for match in _JAAS_OPTION.finditer(text):
        if match.start() != end:
            return {}
        value = next((g for g in match.groups()[1:] if g is not None), "")
        options[match[1]] = re.sub(r"\\(.)", r"\1", value)
        end = match.end()
    return options if end == len(text) else {}
