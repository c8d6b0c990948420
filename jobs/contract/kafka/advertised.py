"""Finds out why a broker that answers cannot be used: its `advertised.listeners` are addresses that we cannot
reach.

A client forgets the bootstrap address as soon as it knows the advertised ones, and then reports the cause
only sometimes. So a plain broker is asked without a client, with a single metadata request on a socket. Where
TLS or a login is needed, confluent-kafka's AdminClient asks; the caller hands it over, because the contract
may not import it.
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jobs.contract.errors import BrokerDown, BrokerUnreachable

PROBE_S = 2.0  # seconds for all addresses together; a connection to this machine takes a millisecond
# With the settings of _PATIENT a client answers in five of six cases, without them in one of three (30 tries
# each). So a new client is started every _NEXT_S seconds, until one has answered or _ASK_S seconds are over.
_ASK_S, _NEXT_S = 2.0, 0.2
_PATIENT = {"enable.sparse.connections": False, "reconnect.backoff.ms": 0, "reconnect.backoff.max.ms": 10}
# Kafka's metadata request: API key, version, correlation id, no client id, no topics. It returns only the
# brokers.
_METADATA = struct.pack(">hhihi", 3, 1, 1, -1, 0)
_MOST_BYTES = 1 << 20  # of an answer; a larger one does not come from a Kafka broker


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def explained(
    error: BrokerDown, client: Callable[[Mapping[str, Any]], Any], options: Mapping[str, Any]
) -> BrokerDown:
    """BrokerUnreachable with every advertised address that this machine cannot reach; `error` when there is
    none. Raises nothing.

    `client`, `options`: the class AdminClient, and its argument.
    """
    servers = _parsed(options["bootstrap.servers"])
    reachable = [server for server, reason in zip(servers, probe(servers), strict=True) if not reason]
    if not reachable:
        return error
    is_plain = options.get("security.protocol", "PLAINTEXT") == "PLAINTEXT"
    advertised = (
        next(filter(None, map(_ask_socket, reachable)), []) if is_plain else _ask_client(client, options)
    )
    away = {address: reason for address, reason in zip(advertised, probe(advertised), strict=True) if reason}
    if not away:
        return error
    listed = ", ".join(f"{address} ({reason})" for address, reason in away.items())
    rest = (
        f"; the others of its {len(advertised)} addresses can be reached"
        if len(away) < len(advertised)
        else ""
    )
    what = f"the broker answers, but sends its clients to {listed}{rest}"
    return BrokerUnreachable(what, options["bootstrap.servers"])


def _parsed(bootstrap: str) -> list[Address]:
    parts = (server.rpartition(":") for server in bootstrap.split(","))
    return [Address(host.strip("[]"), int(port)) for host, _, port in parts]


def _ask_socket(server: Address) -> list[Address]:
    """The addresses that this broker advertises; none when it is not a broker."""
    try:
        with (
            socket.create_connection((server.host, server.port), _ASK_S) as link,
            link.makefile("rb") as answer,
        ):
            link.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
            (size,) = struct.unpack(">i", answer.read(4))
            return sorted(_brokers(answer.read(size)) if 0 < size < _MOST_BYTES else [], key=str)
    except (OSError, struct.error, UnicodeDecodeError):
        return []


def _brokers(answer: bytes) -> Iterator[Address]:
    """Parses Kafka's metadata response, version 1: correlation id, then id, host, port and rack of each
    broker."""
    at = struct.calcsize(">ii")
    for _ in range(struct.unpack_from(">ii", answer)[1]):
        (length,) = struct.unpack_from(">4xh", answer, at)
        host = answer[at + 6 : at + 6 + length].decode()
        port, rack = struct.unpack_from(">ih", answer, at + 6 + length)
        at += 12 + length + max(rack, 0)
        yield Address(host, port)


def _ask_client(client: Callable[[Mapping[str, Any]], Any], options: Mapping[str, Any]) -> list[Address]:
    """The addresses that the broker advertises; none when it does not answer."""
    answers: queue.SimpleQueue[list[Address]] = queue.SimpleQueue()
    until_s = time.monotonic() + _ASK_S
    asked = {**options, **_PATIENT, "error_cb": lambda _error: None}
    while time.monotonic() < until_s:
        threading.Thread(target=_ask, args=(client, asked, answers), daemon=True).start()
        with suppress(queue.Empty):
            return answers.get(timeout=_NEXT_S)
    return []


def _ask(
    client: Callable[[Mapping[str, Any]], Any],
    options: Mapping[str, Any],
    answers: queue.SimpleQueue[list[Address]],
) -> None:
    try:
        admin = client(options)
        brokers = admin.list_topics(timeout=_ASK_S).brokers.values()
    except Exception:  # the client's own error classes cannot be imported here, and all mean: no answer
        return
    # Before the client is destroyed, which takes 5 s if a name service does not answer.
    answers.put(sorted({Address(broker.host, broker.port) for broker in brokers}, key=str))


def probe(addresses: Sequence[Address], within_s: float = PROBE_S) -> list[str]:
    """For each address, why no connection can be opened to it; empty where one can.

    Each address has a daemon thread, because a lookup in a name service that does not answer cannot be
    interrupted.
    """
    reasons = dict.fromkeys(addresses, f"no answer within {within_s:g} s")
    threads = [
        threading.Thread(target=_try, args=(address, within_s, reasons), daemon=True) for address in addresses
    ]
    until_s = time.monotonic() + within_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    return [reasons[address] for address in addresses]


def _try(address: Address, within_s: float, reasons: dict[Address, str]) -> None:
    try:
        socket.create_connection((address.host, address.port), timeout=within_s).close()
    except (socket.gaierror, UnicodeError):
        reasons[address] = "this machine does not know that name"
    except TimeoutError:
        return  # "no answer" is the initial value
    except OSError as error:
        reasons[address] = (error.strerror or str(error)).lower()
    else:
        reasons[address] = ""
