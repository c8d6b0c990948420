"""The lab `camino`: words -> a Way over sample data of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

from jobs.contract.combinations import MODES, SINKS, SOURCES, STATES, TRIGGERS
from jobs.contract.ends import (
    Console,
    Delta,
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
from jobs.contract.stream import is_separator

PORT = 9979
Options = Mapping[str, Value]
# what only one end takes, and its value where it was not asked for
_ONLY: Mapping[tuple[str, str], Options] = {
    ("source", "files"): {"separator": ",", "header": False, "infer": False, "max_files": 0, "max_bytes": 0, "latest_first": False},
    ("sink", "console"): {"rows": 20, "truncate": True},
}
_SOURCES: Mapping[str, Callable[[Options], Source]] = {
    "files": lambda asked: _folder(asked),
    "kafka": lambda asked: Subscription(("entrada",), format=asked["format"]),  # type: ignore[arg-type]
    "socket": lambda _: Socket(port=PORT),
    "rate": lambda _: Rate(10),
    "table": lambda _: Table("camino_entrada"),
}
_SINKS: Mapping[str, Callable[[Options], Sink]] = {
    "files": lambda asked: Folder("salida", asked["format"]),  # type: ignore[arg-type]
    "kafka": lambda asked: Subscription(("salida",), format=asked["format"]),  # type: ignore[arg-type]
    "console": lambda asked: Console(int(asked["rows"]), bool(asked["truncate"])),
    "memory": lambda _: Memory("camino_salida"),
    "foreach": lambda _: Foreach(),
    "foreachBatch": lambda _: ForeachBatch(),
    "table": lambda _: Table("camino_tabla"),
    "mongodb": lambda _: Mongo("caudal", "camino", "palabra"),
    "delta": lambda _: Delta("camino"),
}


def _require_used(options: Options) -> None:
    """Raises UsageError for an option that this way would pass over."""
    for (side, end), only in _ONLY.items():
        asked = next((name for name, default in only.items() if options[name] != default), "")
        if asked and options[side] != end:
            raise UsageError(f"a {side} {options[side]} has no such option, only {end}", f"--{asked.replace('_', '-')}", cli=f"--{side} {end}")


def _folder(asked: Options) -> Folder:
    """Raises UsageError for what Spark's file source cannot do together."""
    form, separator, header = str(asked["format"]), str(asked["separator"]), bool(asked["header"])
    if form != "csv" and (header or separator != ","):
        raise UsageError(f"{form} has no header and no separator", "--format", cli="--format csv, or leave them out")
    if not is_separator(separator):
        raise UsageError(f"{separator[:30]!r} parts no csv fields", "--separator", cli="one character, no quote and no line end")
    if asked["infer"] and form == "csv" and not header:
        raise UsageError("csv without a header gives no names to infer", "--infer", cli="--header yes, or leave out --infer")
    if asked["max_files"] and asked["max_bytes"]:
        raise UsageError("Spark takes maxFilesPerTrigger or maxBytesPerTrigger, not both", "--max-files, --max-bytes", cli="leave one of the two out")
    return Folder(
        "entrada", form, infer=bool(asked["infer"]), max_files=int(asked["max_files"]) or None, max_bytes=int(asked["max_bytes"]) or None,  # type: ignore[arg-type]
        latest_first=bool(asked["latest_first"]), options=(("sep", separator), ("header", str(header).lower())) if form == "csv" else (),
    )  # fmt: skip


def asked(options: Options) -> Way:
    """Raises UsageError naming the option that is none of its words."""
    for name, words in (("source", SOURCES), ("sink", SINKS), ("mode", MODES), ("trigger", TRIGGERS), ("state", STATES)):
        if options[name] not in words:
            raise UsageError(f"{str(options[name])[:30]!r} is none of {', '.join(words)}", f"--{name}")
    _require_used(options)
    source, sink, form = (str(options[name]) for name in ("source", "sink", "format"))
    if form not in get_args(ValueFormat if "kafka" in (source, sink) else FileFormat):
        raise UsageError(f"{form[:30]!r} is no format of this way", "--format")
    return Way(
        _SOURCES[source](options), _SINKS[sink](options), options["mode"], options["trigger"],  # type: ignore[arg-type]
        interval="1 second", state=options["state"],  # type: ignore[arg-type]
    )  # fmt: skip
