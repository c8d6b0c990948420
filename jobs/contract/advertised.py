"""Why a broker that answers is still out of reach: it sends its clients on to addresses of its own choice (`advertised.listeners`).

It is given confluent-kafka's AdminClient: the contract imports none.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.contract.errors import BrokerDown
from jobs.contract.errors_services import BrokerUnreachable

PROBE_S = 2.0  # all addresses together; on one machine a connection takes a millisecond
# A client that hears of an address out of reach may ask there from then on, and a new client begins with the broker that answers. With these
# settings five of six give an answer (one of three without: measured, 30 each); a broker that hangs costs _ASK_S * _ASKED.
_ASK_S, _ASKED = 0.5, 10
_PATIENT = {"enable.sparse.connections": False, "reconnect.backoff.ms": 0, "reconnect.backoff.max.ms": 10}


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def explained(error: BrokerDown, client: Callable[[Mapping[str, Any]], Any], options: Mapping[str, Any]) -> BrokerDown:
    """`error`, or BrokerUnreachable with every address that the broker advertises and this machine cannot reach. Raises nothing.

    `client`, `options`: AdminClient and what it takes.
    """
    if all(probe(_parsed(options["bootstrap.servers"]))):
        return error  # nobody there to ask
    named = _named(client, options)
    away = {address: reason for address, reason in zip(named, probe(named), strict=True) if reason}
    if not away:
        return error
    told = ", ".join(f"{address} ({reason})" for address, reason in away.items())
    rest = f"; of its {len(named)} addresses the others can be reached" if len(away) < len(named) else ""
    return BrokerUnreachable(f"the broker answers, but sends its clients to {told}{rest}", options["bootstrap.servers"])


def _parsed(bootstrap: str) -> list[Address]:
    parts = (server.rpartition(":") for server in bootstrap.split(","))
    return [Address(host.strip("[]"), int(port)) for host, _, port in parts]


def _named(client: Callable[[Mapping[str, Any]], Any], options: Mapping[str, Any]) -> list[Address]:
    """Where the broker sends its clients; none when it does not answer."""
    for _ in range(_ASKED):
        try:
            brokers = client({**options, **_PATIENT, "error_cb": lambda _error: None}).list_topics(timeout=_ASK_S).brokers.values()
        except Exception:  # noqa: S112 - its client's errors are not known here, and none of them is news
            continue
        return sorted({Address(broker.host, broker.port) for broker in brokers}, key=str)
    return []


def probe(addresses: Sequence[Address], within_s: float = PROBE_S) -> list[str]:
    """For each address why no connection can be opened to it; empty where one can.

    In threads that nobody waits for longer: a name service that does not answer cannot be interrupted.
    """
    found = dict.fromkeys(addresses, f"no answer within {within_s:g} s")
    threads = [threading.Thread(target=_try, args=(address, within_s, found), daemon=True) for address in addresses]
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
