"""Writes docs/DAGS.md from the DAGs themselves, so that the page cannot name a DAG that is gone.

`python -m include.airflow_kit.dag_docs` prints the page. It needs an AIRFLOW_HOME of its own, which `render`
provides.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from include import settings
from jobs.contract.errors import ConfigError

_TIMEOUT_S = 120  # a parse takes a second or two; a loaded machine takes longer
_HEAD = """\
# The DAGs

Made by `./caudal docs` from the DAGs themselves; a test compares. All times are UTC. Streams with the same
schedule start a minute apart. A task refuses a trigger with a key that its form does not have.

If a task fails, the end of its log says what happened, where, and what to do. Airflow tries it again only if
that can help.

| DAG | what it does | runs |
|---|---|---|"""


def render() -> str:
    """The text of docs/DAGS.md. Parses dags/ in a fresh process, with an Airflow home that is removed
    afterwards.

    Raises ConfigError when a DAG file does not load.
    """
    with tempfile.TemporaryDirectory(prefix="caudal-dags-") as home:
        environ = {**settings.load().environ, **_quiet(home), "PYTHONPATH": str(settings.ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "include.airflow_kit.dag_docs"],
            cwd=settings.ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    if done.returncode != 0:
        raise ConfigError(f"the DAGs do not load: {done.stderr.strip().rpartition(chr(10))[2]}", "dags/")
    return done.stdout


def _quiet(home: str) -> dict[str, str]:
    # an Airflow home with its own database: a parse must neither read nor create that of the user
    return {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }


def page(dags: Iterable[Any], folder: Path) -> str:
    """Markdown: a table of all DAGs, then a section for each DAG file in `folder`, the file with most DAGs
    first."""
    by_file: dict[str, list[Any]] = {path.name: [] for path in folder.glob("[!_]*.py")}
    for dag in sorted(dags, key=lambda d: d.dag_id):
        by_file[Path(dag.fileloc).name].append(dag)
    files = sorted(by_file, key=lambda name: (-len(by_file[name]), name))
    rows = [_row(dag) for name in files for dag in by_file[name]]
    sections = [line for name in files for line in _section(folder / name, by_file[name])]
    return "\n".join([_HEAD, *rows, "", *sections]).rstrip() + "\n"


def _row(dag: Any) -> str:
    return f"| [{dag.dag_id}](#{dag.dag_id}) | {dag.description.rstrip('.')} | {_schedule(dag)} |"


def _section(file: Path, dags: list[Any]) -> Iterator[str]:
    """The file's docstring, then its DAGs. A DAG whose manual is that docstring stands alone: it would repeat
    it."""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    if [dag.doc_md.strip() for dag in dags] == [docstring]:
        yield from _dag("##", dags[0])
        return
    yield from (f"## dags/{file.name}", "", docstring, "")
    for dag in dags:
        yield from _dag("###", dag)


def _dag(heading: str, dag: Any) -> Iterator[str]:
    yield from (f"{heading} {dag.dag_id}", "", dag.doc_md.strip(), "", "| | |", "|---|---|")
    yield from (f"| {name} | {value} |" for name, value in _facts(dag))
    yield ""
    if dag.params:
        yield from ("| field | default | limits | meaning |", "|---|---|---|---|")
        yield from (_field(name, dag.params.get_param(name)) for name in dag.params)
        yield ""


def _facts(dag: Any) -> Iterator[tuple[str, str]]:
    yield "runs", _schedule(dag)
    yield "tags", ", ".join(sorted(dag.tags))
    for task in dag.tasks:
        limit = f", at most {task.execution_timeout.total_seconds():.0f} s" if task.execution_timeout else ""
        yield f"task `{task.task_id}`", f"pool `{task.pool}`, {task.retries} retries{limit}"
        yield from ((f"`{task.task_id}` reads", _uris(task.inlets)),) if task.inlets else ()
        yield from ((f"`{task.task_id}` writes", _uris(task.outlets)),) if task.outlets else ()


def _schedule(dag: Any) -> str:
    """The registry's own text: the minute at which a stream starts depends on the other streams."""
    return "`" + re.sub(r"^\d+-59/", "*/", dag.schedule) + "`" if dag.schedule else "when triggered"


def _uris(assets: Iterable[Any]) -> str:
    return ", ".join(f"`{asset.uri}`" for asset in assets)


def _field(name: str, param: Any) -> str:
    schema = param.schema
    return f"| `{name}` {schema['title']} | `{param.value}` | {limits(schema)} | {param.description} |"


def limits(schema: dict[str, Any]) -> str:
    """What a field accepts, in words."""
    if "$comment" in schema:
        return str(schema["$comment"])
    if schema["type"] == "boolean":
        return "true or false"
    return f"{schema['minimum']} to {schema['maximum']}"


def main() -> None:
    from airflow.dag_processing.dagbag import DagBag

    folder = settings.ROOT / "dags"
    bag = DagBag(str(folder))
    if bag.import_errors:
        last = {Path(file).name: text.strip().rpartition("\n")[2] for file, text in bag.import_errors.items()}
        sys.exit("; ".join(f"{name}: {line}" for name, line in last.items()))
    print(page(bag.dags.values(), folder), end="")


if __name__ == "__main__":
    main()
