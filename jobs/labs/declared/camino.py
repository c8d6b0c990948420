"""The options of the lab `camino` -> a Pipeline over the lab's sample data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

from jobs.contract.errors import UsageError
from jobs.contract.stream import is_separator
from jobs.labs.declared.castellano import pista
from jobs.labs.declared.combinations import MODES, SINKS, SOURCES, STATES, TRIGGERS
from jobs.labs.declared.ends import (
    Console,
    Delta,
    FileFormat,
    Folder,
    Foreach,
    ForeachBatch,
    Memory,
    Mongo,
    Pipeline,
    Rate,
    Sink,
    Socket,
    Source,
    Subscription,
    Table,
    ValueFormat,
)
from jobs.labs.declared.lab import Value

PORT = 9979
Options = Mapping[str, Value]
# options that only one kind of source or sink takes, with their defaults
_ONLY: Mapping[tuple[str, str], Options] = {
    ("source", "files"): {
        "separator": ",",
        "header": False,
        "infer": False,
        "max_files": 0,
        "max_bytes": 0,
        "latest_first": False,
    },
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
    """Raises UsageError for an option that this pipeline would ignore."""
    for (side, end), only in _ONLY.items():
        asked = next((name for name, default in only.items() if options[name] != default), "")
        if asked and options[side] != end:
            what = f"{options[side]} ({side}) no tiene esa opción, solo {end}"
            raise UsageError(what, f"--{asked.replace('_', '-')}", cli=f"--{side} {end}")


def _folder(asked: Options) -> Folder:
    """Raises UsageError for options that Spark's file source cannot combine."""
    form, separator, header = str(asked["format"]), str(asked["separator"]), bool(asked["header"])
    if form != "csv" and (header or separator != ","):
        raise UsageError(
            f"{form} no tiene cabecera ni separador", "--format", cli="--format csv, o sin ellos"
        )
    if not is_separator(separator):
        raise UsageError(
            f"{separator[:30]!r} no puede separar campos csv",
            "--separator",
            cli="un carácter, ni comilla ni fin de línea",
        )
    if asked["infer"] and form == "csv" and not header:
        raise UsageError(
            "un csv sin cabecera no da nombres que inferir", "--infer", cli="--header yes, o sin --infer"
        )
    if asked["max_files"] and asked["max_bytes"]:
        raise UsageError(
            "Spark acepta maxFilesPerTrigger o maxBytesPerTrigger, no los dos",
            "--max-files, --max-bytes",
            cli="quita uno de los dos",
        )
    return Folder(
        "entrada",
        form,  # type: ignore[arg-type]
        infer=bool(asked["infer"]),
        max_files=int(asked["max_files"]) or None,
        max_bytes=int(asked["max_bytes"]) or None,
        latest_first=bool(asked["latest_first"]),
        options=(("sep", separator), ("header", str(header).lower())) if form == "csv" else (),
    )


def pipeline(options: Options) -> Pipeline:
    """Raises UsageError, which names the option whose value is unknown or does not fit the others."""
    for name, words in (
        ("source", SOURCES),
        ("sink", SINKS),
        ("mode", MODES),
        ("trigger", TRIGGERS),
        ("state", STATES),
    ):
        if options[name] not in words:
            word = str(options[name])
            raise UsageError(
                f"{word[:30]!r} no es ninguno de {', '.join(words)}{pista(word, words)}", f"--{name}"
            )
    _require_used(options)
    source, sink, form = (str(options[name]) for name in ("source", "sink", "format"))
    formats = get_args(ValueFormat if "kafka" in (source, sink) else FileFormat)
    if form not in formats:
        raise UsageError(
            f"{form[:30]!r} no es un formato de este camino: {', '.join(formats)}{pista(form, formats)}",
            "--format",
        )
    return Pipeline(
        _SOURCES[source](options),
        _SINKS[sink](options),
        options["mode"],  # type: ignore[arg-type]
        options["trigger"],  # type: ignore[arg-type]
        interval="1 second",
        state=options["state"],  # type: ignore[arg-type]
    )
