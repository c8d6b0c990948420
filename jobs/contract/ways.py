"""The lab `camino`: words -> a Way over sample data of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

from jobs.contract.combinations import MODES, SINKS, SOURCES, STATES, TRIGGERS
from jobs.contract.ends import (
    Console,
    FileFormat,
    Folder,
    Foreach,
    ForeachBatch,
    Memory,
    Mongo,
    Rate,
    Sink,
    Socket,
    Source,
    Subscription,
    Table,
    ValueFormat,
    Way,
)
from jobs.contract.errors import UsageError
from jobs.contract.lab import Value

PORT = 9979
_SOURCES: Mapping[str, Callable[[str], Source]] = {
    "files": lambda form: Folder("entrada", form),  # type: ignore[arg-type]
    "kafka": lambda form: Subscription(("entrada",), format=form),  # type: ignore[arg-type]
    "socket": lambda _: Socket(port=PORT),
    "rate": lambda _: Rate(10),
    "table": lambda _: Table("camino_entrada"),
}
_SINKS: Mapping[str, Callable[[str], Sink]] = {
    "files": lambda form: Folder("salida", form),  # type: ignore[arg-type]
    "kafka": lambda form: Subscription(("salida",), format=form),  # type: ignore[arg-type]
    "console": lambda _: Console(),
    "memory": lambda _: Memory("camino_salida"),
    "foreach": lambda _: Foreach(),
    "foreachBatch": lambda _: ForeachBatch(),
    "table": lambda _: Table("camino_tabla"),
    "mongodb": lambda _: Mongo("caudal", "camino", "palabra"),
}


def asked(options: Mapping[str, Value]) -> Way:
    """Raises UsageError naming the option that is none of its words."""
    for name, words in (("source", SOURCES), ("sink", SINKS), ("mode", MODES), ("trigger", TRIGGERS), ("state", STATES)):
        if options[name] not in words:
            raise UsageError(f"{str(options[name])[:30]!r} is none of {', '.join(words)}", f"--{name}")
    source, sink, form = (str(options[name]) for name in ("source", "sink", "format"))
    if form not in get_args(ValueFormat if "kafka" in (source, sink) else FileFormat):
        raise UsageError(f"{form[:30]!r} is no format of this way", "--format")
    return Way(
        _SOURCES[source](form), _SINKS[sink](form), options["mode"], options["trigger"],  # type: ignore[arg-type]
        interval="1 second", state=options["state"],  # type: ignore[arg-type]
    )  # fmt: skip
