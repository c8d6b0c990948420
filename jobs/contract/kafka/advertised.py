"""Why a broker that answers is still out of reach: it sends its clients on to addresses of its own choice
(`advertised.listeners`).

A client forgets the bootstrap address as soon as it hears of others, and then answers by chance. So a plain
broker is asked without one, by the one request that says it all; confluent-kafka's AdminClient, which is
handed over (the contract imports none), asks where TLS or a login is needed.
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

PROBE_S = 2.0  # all addresses together; on one machine a connection takes a millisecond
# a client with these settings answers five times of six (one of three without: measured, 30 each): another is
# begun every _NEXT_S
_ASK_S, _NEXT_S = 2.0, 0.2
_PATIENT = {"enable.sparse.connections": False, "reconnect.backoff.ms": 0, "reconnect.backoff.max.ms": 10}
_METADATA = struct.pack(
    ">hhihi", 3, 1, 1, -1, 0
)  # key, version, correlation id, no client id, of no topic: the brokers alone
_MOST = 1 << 20  # bytes of an answer


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def explained(
    error: BrokerDown, client: Callable[[Mapping[str, Any]], Any], options: Mapping[str, Any]
) -> BrokerDown:
    """`error`, or BrokerUnreachable with every address that the broker advertises and this machine cannot
    reach. Raises nothing.

    `client`, `options`: AdminClient and what it takes.
    """
    servers = _parsed(options["bootstrap.servers"])
    there = [server for server, reason in zip(servers, probe(servers), strict=True) if not reason]
    if not there:
        return error
    is_plain = options.get("security.protocol", "PLAINTEXT") == "PLAINTEXT"
    named = next(filter(None, map(_told, there)), []) if is_plain else _named(client, options)
    away = {address: reason for address, reason in zip(named, probe(named), strict=True) if reason}
    if not away:
        return error
    told = ", ".join(f"{address} ({reason})" for address, reason in away.items())
    rest = f"; of its {len(named)} addresses the others can be reached" if len(away) < len(named) else ""
    return BrokerUnreachable(
        f"the broker answers, but sends its clients to {told}{rest}", options["bootstrap.servers"]
    )


def _parsed(bootstrap: str) -> list[Address]:
    parts = (server.rpartition(":") for server in bootstrap.split(","))
    return [Address(host.strip("[]"), int(port)) for host, _, port in parts]


def _told(server: Address) -> list[Address]:
    """Where this broker says that the brokers are; nothing from what is no broker."""
    try:
        with (
            socket.create_connection((server.host, server.port), _ASK_S) as link,
            link.makefile("rb") as answer,
        ):
            link.sendall(struct.pack(">i", len(_METADATA)) + _METADATA)
            (size,) = struct.unpack(">i", answer.read(4))
            return sorted(_brokers(answer.read(size)) if 0 < size < _MOST else [], key=str)
    except (OSError, struct.error, UnicodeDecodeError):
        return []


def _brokers(answer: bytes) -> Iterator[Address]:
    """Of Kafka's metadata response, version 1: correlation id, then for each broker its id, host, port and
    rack."""
    at = struct.calcsize(">ii")
    for _ in range(struct.unpack_from(">ii", answer)[1]):
        (length,) = struct.unpack_from(">4xh", answer, at)
        host = answer[at + 6 : at + 6 + length].decode()
        port, rack = struct.unpack_from(">ih", answer, at + 6 + length)
        at += 12 + length + max(rack, 0)
        yield Address(host, port)


def _named(client: Callable[[Mapping[str, Any]], Any], options: Mapping[str, Any]) -> list[Address]:
    """Where the broker sends its clients; none when it does not answer."""
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
    """Hands over what it hears before its client is taken down, which waits for a name service that does not
    answer (5 s)."""
    try:
        asking = client(options)
        brokers = asking.list_topics(timeout=_ASK_S).brokers.values()
    except Exception:  # its client's errors are not known here, and none of them is news
        return
    answers.put(sorted({Address(broker.host, broker.port) for broker in brokers}, key=str))


def probe(addresses: Sequence[Address], within_s: float = PROBE_S) -> list[str]:
    """For each address why no connection can be opened to it; empty where one can.

    In threads that nobody waits for longer: a name service that does not answer cannot be interrupted.
    """
    found = dict.fromkeys(addresses, f"no answer within {within_s:g} s")
    threads = [
        threading.Thread(target=_try, args=(address, within_s, found), daemon=True) for address in addresses
    ]
    until_s = time.monotonic() + within_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    return [found[address] for address in addresses]


def _try(address: Address, within_s: float, found: dict[Address, str]) -> None:
    try:
        socket.create_connection((address.host, address.port), timeout=within_s).close()
    except (socket.gaierror, UnicodeError):
        found[address] = "this machine does not know that name"
    except TimeoutError:
        return  # as it stands there
    except OSError as error:
        found[address] = (error.strerror or str(error)).lower()
    else:
        found[address] = ""
