"""A lab as the registry declares it, and the spec that its driver gets for one run.

Labs teach: they work in a folder of their own and keep no account.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jobs.contract.disk.layout import is_name
from jobs.contract.errors import BrokenStream, DataError, UsageError
from jobs.labs.declared import ends
from jobs.labs.declared.castellano import pista
from jobs.labs.declared.ends import Pipeline

Value = int | float | str | bool


@dataclass(frozen=True)
class Option:
    """`--name VALUE` of a lab. Its type is the type of the default. `choices`: the only values that it takes;
    `least` and `most`: the limits of a number."""

    name: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    def parse(self, text: str) -> Value:
        """Raises UsageError when `text` is not of the default's type, or not among the values that the option
        takes."""
        value = self._typed(text)
        if self.choices and value not in self.choices:
            what = f"{text[:40]!r} no es ninguno de {', '.join(self.choices)}{pista(text, self.choices)}"
            raise UsageError(what, f"--{self.name}")
        if self.least is not None and not float(value) >= self.least:
            raise UsageError(f"{text[:40]!r} es menor que {self.least:g}", f"--{self.name}")
        if self.most is not None and not float(value) <= self.most:
            raise UsageError(f"{text[:40]!r} es mayor que {self.most:g}", f"--{self.name}")
        return value

    def _typed(self, text: str) -> Value:
        try:
            if isinstance(self.default, bool):
                return {"yes": True, "true": True, "no": False, "false": False}[text.lower()]
            return type(self.default)(text)
        except (ValueError, KeyError):
            kind = {bool: "yes o no", int: "un número entero", float: "un número"}[type(self.default)]
            raise UsageError(f"{text[:40]!r} no es {kind}", f"--{self.name}") from None


@dataclass(frozen=True)
class Lab:
    """One row of include/labs/rows.

    `title`: one line in Spanish. `section`: of the course, as docs/curso.md names it. `account`: what it
    keeps, or that it keeps none. `broker`: it needs Kafka; a pipeline from or to kafka always does. `kafka`:
    whether these options need it. `ui`: Spark's own UI is on while it runs. `ivy`: sets of jars beside
    Spark's own. `pipeline`: what it reads and writes, by its options; a pipeline that Spark cannot run is
    refused before Spark starts. `sample`: files that are in its folder when it starts, name -> text. `reads`:
    code worth reading. `fault`: instead of a program, a fault of include/torture/faults, which is done to a
    plain job and to Caudal. `keeps`: whether it can continue where an earlier run ended (`--keep`). `group`:
    the folder of its row and of its program, set when the rows are collected. `beside`: a stream of Caudal
    that reads the files in muestras first, in the home `caudal` in the lab's folder.
    """

    name: str
    title: str
    section: str
    options: tuple[Option, ...] = ()
    broker: bool = False
    kafka: Callable[[Mapping[str, Value]], bool] | None = None
    ui: bool = False
    ivy: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    account: str = "ninguna"
    keeps: bool = False
    pipeline: Callable[[Mapping[str, Value]], Pipeline] | None = None
    sample: Callable[[Mapping[str, Value]], Mapping[str, str]] | None = None
    fault: str = ""
    beside: str = ""
    doc: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise BrokenStream(f"unsafe lab name {self.name!r}: lower-case letters, digits, _", "Lab")
        if len({option.name for option in self.options}) < len(self.options):
            raise BrokenStream("an option stands twice", self.name)

    @property
    def program(self) -> str:
        """The dotted name of its module, below jobs/labs."""
        return f"{self.group}.{self.name}".lstrip(".")

    def values(self, typed: Mapping[str, str]) -> dict[str, Value]:
        """Every option's value. Raises UsageError for an unknown option, or a value of another type."""
        known = {option.name: option for option in self.options}
        if unknown := sorted(set(typed) - set(known)):
            word, there = unknown[0].replace("_", "-"), [f"--{name.replace('_', '-')}" for name in known]
            what = f"{self.name} no tiene la opción --{word}{pista(f'--{word}', there)}"
            raise UsageError(what, self.name, cli=f"./caudal lab {self.name} --help")
        try:
            return {
                name: option.parse(typed[name]) if name in typed else option.default
                for name, option in known.items()
            }
        except UsageError as error:
            raise UsageError(
                error.what, error.where.replace("_", "-"), cli=f"./caudal lab {self.name} --help"
            ) from None


@dataclass(frozen=True)
class LabSpec:
    """`spec.json` of one run of a lab. `folder`: the run's own, absolute. `ui_port`: 0 where Spark's UI is
    off. `program`: the dotted name of its module, below jobs/labs."""

    lab: str
    home: str
    folder: str
    options: dict[str, Value]
    bootstrap: str = ""
    kafka_properties: str = ""
    ui_port: int = 0
    pipeline: Pipeline | None = None
    jars: tuple[str, ...] = ()
    program: str = ""

    def to_json(self) -> bytes:
        values = asdict(replace(self, pipeline=None))
        del values["pipeline"]
        values["way"] = (
            ends.to_values(self.pipeline) if self.pipeline else None
        )  # the key that specs have always had
        return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, where: object = "") -> LabSpec:
        """Raises DataError when the bytes are not the spec of a lab."""
        try:
            raw: dict[str, Any] = json.loads(data)
            way = raw.pop("way")
            pipeline = ends.from_values(way) if way else None
            return cls(**{**raw, "jars": tuple(raw["jars"]), "pipeline": pipeline})
        except (ValueError, TypeError, KeyError, BrokenStream) as error:
            raise DataError(f"unreadable lab spec ({type(error).__name__}: {error})", where) from error

    @property
    def stop(self) -> Path:
        """The file that asks the lab to end gracefully, by being there."""
        return Path(self.folder) / ".stop"
