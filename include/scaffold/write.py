"""Plans and writes the files of a new stream: all of them, or none. The registry row comes last, because it
makes the stream exist."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include import streams
from include.scaffold import reading
from include.scaffold.columns import SAMPLES, Column
from include.scaffold.naming import free_name
from include.scaffold.request import Request, describe
from include.settings import ROOT
from jobs.contract.disk import storage
from jobs.contract.errors import Refused
from jobs.contract.stream import Files, Published, Topic

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
_LINE = 90  # longest text on one line: ruff breaks calls and tuples, but not texts
_PART = 60  # characters per line of a longer text; each may need an escape
_MODULES = {"DateType": "date", "TimestampType": "datetime"}


@dataclass(frozen=True)
class NewFile:
    """`present`: the file exists already with exactly this text (an earlier call was interrupted)."""

    path: Path
    text: str
    present: bool


def plan(request: Request, root: Path) -> tuple[NewFile, ...]:
    """The four files, in the order in which they are written. Read-only. Raises Refused if one of them exists
    with another text."""
    name = request.stream.name
    places = {
        "domain": root / "jobs" / "domain" / f"{name}.py",
        "test": root / "tests" / "jobs" / "domain" / f"test_{name}.py",
        "job": root / "jobs" / f"{name}.py",
        "row": root / "include" / "streams" / f"{name}.py",
    }
    source = "kafka" if isinstance(request.stream.source, Topic) else "files"
    return rendered(places, _values(request), lambda: free_name(name, root, streams.collect()[0], source))


def rendered(
    places: Mapping[str, Path], values: Mapping[str, object], free: Callable[[], str]
) -> tuple[NewFile, ...]:
    """Renders template name -> path, and reads what is there now. Raises Refused if a file has another text;
    it names all such files, and a free name."""
    environment = _environment()
    files = [
        NewFile(
            path, _formatted(environment.get_template(f"{part}.py.j2").render(values), path), path.exists()
        )
        for part, path in places.items()
    ]
    if taken := [file.path for file in files if file.present and not _is_text(file.path, file.text)]:
        what = f"there is another {' and '.join(path.name for path in taken)} already; nothing is overwritten"
        raise Refused(what, ", ".join(map(str, taken)), cli=f"the name {free()} is free")
    return tuple(files)


def apply(files: tuple[NewFile, ...]) -> list[Path]:
    """Writes the missing files and returns their paths. Raises Refused if another program creates one
    meanwhile; then none of ours stays."""
    written: list[Path] = []
    try:
        for file in (f for f in files if not f.present):
            with storage.disk_errors(file.path):
                storage.make_dirs(file.path.parent)
                storage.write_new(file.path, file.text.encode())
            written.append(file.path)
    except BaseException as error:
        storage.unlink_all(written[::-1])
        if isinstance(error, FileExistsError):
            place = error.filename2 or error.filename
            raise Refused(
                "the file was created meanwhile; nothing was written", place, cli="run the same command again"
            ) from None
        raise
    return written


def sample(request: Request) -> str:
    """Two records in the source's format, with the header if there is one; ends with a line feed."""
    source = request.stream.source
    head = (
        [_fields(request, [c.name for c in request.columns])]
        if getattr(source, "header", False) and source.format == "csv"
        else []
    )
    return "".join(f"{line}\n" for line in [*head, *_records(request)])


def _records(request: Request) -> list[str]:
    source, columns = request.stream.source, request.columns
    assert not isinstance(source, Published)  # noqa: S101 - no such stream is written by new-stream
    if source.format == "csv":
        return [
            _fields(request, [reading.text(c, row, source) for c in columns]) for row in range(SAMPLES - 1)
        ]
    documents = ({c.name: reading.value(c, row, source) for c in columns} for row in range(SAMPLES - 1))
    return [json.dumps(document, ensure_ascii=False) for document in documents]


def _fields(request: Request, values: list[str]) -> str:
    """A csv record."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=getattr(request.stream.source, "separator", ","), lineterminator="").writerow(
        values
    )
    return out.getvalue()


def _is_text(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    return made


def _values(request: Request) -> dict[str, object]:
    stream, columns = request.stream, request.columns
    return {
        "stream": stream,
        "columns": columns,
        "required": request.required,
        "rules": {f"no-{name.lower().replace('_', '-')}": f"`{name}` IS NULL" for name in request.required},
        "source": describe(stream.source),
        "sink": describe(stream.sink),
        "source_row": end_row(stream.source),
        "sink_row": end_row(stream.sink),
        "ends": sorted({type(end).__name__ for end in (stream.source, stream.sink)} | {"Stream"}),
        "reads_files": isinstance(stream.source, Files),
        "writes_files": isinstance(stream.sink, Files),
        "types": sorted({"StructType", *(column.kind for column in columns)}),
        **sample_values(columns),
        "refused": tuple_of(
            ["None" if c.name in request.required else c.source(SAMPLES - 1) for c in columns]
        ),
        "records": [_broken(record) for record in _records(request)],
        "read": [tuple_of([_literal(reading.read(c, row)) for c in columns]) for row in range(SAMPLES - 1)],
        "names": [column.name for column in columns],
        "sample": [line for line in sample(request).splitlines() if len(line) <= _LINE],
    }


def sample_values(columns: Sequence[Column]) -> dict[str, object]:
    """The sample rows of a generated test, as Python source, and the modules they need."""
    kinds = {column.kind for column in columns}
    return {
        "dates": sorted(_MODULES[kind] for kind in kinds if kind in _MODULES),
        "decimals": "DecimalType" in kinds,
        "rows": [tuple_of([column.source(row) for column in columns]) for row in range(SAMPLES - 1)],
    }


def tuple_of(values: list[str]) -> str:
    """A tuple as Python source."""
    return f"({', '.join(values)}{',' if len(values) == 1 else ''})"


def _formatted(text: str, path: Path) -> str:
    """`text` as ruff formats it in this checkout."""
    line = [sys.executable, "-P", "-m", "ruff", "format", "--quiet", "--config", str(ROOT / "pyproject.toml")]
    line += ["--stdin-filename", str(path), "-"]
    return subprocess.run(line, input=text, capture_output=True, text=True, check=True).stdout


def _broken(text: str) -> str:
    """A text as Python source, in lines that fit."""
    parts = [_literal(text[at : at + _PART]) for at in range(0, len(text), _PART)]
    return (
        _literal(text)
        if len(_literal(text)) <= _LINE
        else "(\n        " + "\n        ".join(parts) + "\n    )"
    )


def end_row(end: Any) -> str:
    """The end as the registry writes it, without defaults. Files begin with their format, other ends with
    their first field."""
    first = (
        "format"
        if isinstance(end, Files)
        else next((f.name for f in fields(end) if f.default is MISSING), "")
    )
    changed = {
        f.name: getattr(end, f.name)
        for f in fields(end)
        if f.name != first and getattr(end, f.name) != f.default
    }
    words = [_literal(getattr(end, first))] if first else []
    words += [f"{name}={_literal(value)}" for name, value in changed.items()]
    return f"{type(end).__name__}({', '.join(words)})"


def _literal(value: object) -> str:
    if isinstance(value, tuple):
        return f"({''.join(f'{_literal(v)}, ' for v in value)})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
