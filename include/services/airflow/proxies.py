"""Selects the proxy variables that the services and their tasks get.

A task's HTTP client (httpx) reads these variables when it is created. It raises at a value that it cannot
use, even if no_proxy names the server, and the task then dies before it has a log. So each value is tried on
that client here, and what the client rejects is left out.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping

LOCAL = ("127.0.0.1", "localhost", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_EXCEPTIONS = "no_proxy"


def is_one(name: str) -> bool:
    """Whether `name` is a proxy variable, in any spelling: Python's clients read all of them."""
    return name.lower() in (*_PROXIES, _EXCEPTIONS)


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables for the services: those of `environ` that work, and one no_proxy in both spellings,
    which includes this machine."""
    kept = {name: value for name, value in environ.items() if name.lower() in _PROXIES and _works(value)}
    entries = ",".join(dict.fromkeys((*filter(_excepts, _entries(environ)), *LOCAL)))
    return {**kept, "NO_PROXY": entries, "no_proxy": entries}


def refused(environ: Mapping[str, str]) -> list[str]:
    """The variables that are left out, in whole or in part. No value is shown, because it may hold a
    password."""
    whole = {name for name, value in environ.items() if name.lower() in _PROXIES and not _works(value)}
    parts = {
        name
        for name in environ
        if name.lower() == _EXCEPTIONS and not all(map(_excepts, _entries({name: environ[name]})))
    }
    return sorted(whole | parts)


def _entries(environ: Mapping[str, str]) -> list[str]:
    """The entries of all spellings of no_proxy. `[::1]` becomes `::1`, the only form that httpx accepts."""
    values = (value for name, value in sorted(environ.items()) if name.lower() == _EXCEPTIONS)
    return [
        re.sub(r"^\[(.*)\]$", r"\1", entry)
        for value in values
        for entry in re.split(r"[,\s]+", value)
        if entry
    ]


def _works(value: str) -> bool:
    """Whether httpx accepts the value as a proxy, and host and port are possible ones. An empty value only
    switches a proxy off."""
    import httpx

    if not value:
        return True
    try:
        proxy = httpx.Proxy(value if "://" in value else f"http://{value}")
        httpx.HTTPTransport(proxy=proxy, verify=_context()).close()
    except Exception:  # a task would get the same exception
        return False
    return bool(proxy.url.host) and (proxy.url.port is None or 0 < proxy.url.port < 65536)


def _excepts(entry: str) -> bool:
    """Whether httpx accepts the value as an entry of no_proxy."""
    import httpx

    pattern = entry if "://" in entry else f"all://[{entry}]" if _is_ipv6(entry) else f"all://*{entry}"
    try:
        httpx.Client(mounts={pattern: None}, trust_env=False, verify=_context()).close()
    except Exception:  # as above
        return False
    return True


def _is_ipv6(entry: str) -> bool:
    try:
        return ipaddress.ip_address(entry.partition("/")[0]).version == 6
    except ValueError:
        return False


def _context() -> ssl.SSLContext:
    """A context without certificates, which take 20 ms to load: no connection is made with it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
