"""Makes docs/DAGS.md from the DAGs themselves, so the page cannot name what is gone.

`python -m include.airflow_kit.dag_docs` prints the page; it wants an AIRFLOW_HOME of its own. `render()` sees to that.
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

PAGE = Path("docs") / "DAGS.md"
_TIMEOUT_S = 120  # a parse takes a second or two; a loaded machine some more
_HEAD = """\
# The DAGs

Made by `./caudal docs` from the DAGs themselves; a test compares. All times are UTC. An unknown key at the trigger is refused by name.

A task that fails says what happened, where, and what to do, at the end of its log. It is tried again by itself only where that can help.
"""


def render(only: Iterable[str] = ()) -> str:
    """The text of docs/DAGS.md; with `only`, of these DAG ids alone. Parses dags/ in a fresh process; touches no Airflow of yours.

    Raises ConfigError when a DAG file does not load.
    """
    with tempfile.TemporaryDirectory(prefix="caudal-dags-") as home:
        environ = {**settings.load().environ, **_quiet(home), "PYTHONPATH": str(settings.ROOT)}
        command = [sys.executable, "-m", "include.airflow_kit.dag_docs", *only]
        done = subprocess.run(
            command,
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
    return {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }


def page(dags: Iterable[Any], folder: Path) -> str:
    """Markdown: a section a DAG file (its docstring), in it one for each of its DAGs."""
    by_file: dict[str, list[Any]] = {}
    for dag in sorted(dags, key=lambda d: d.dag_id):
        by_file.setdefault(Path(dag.fileloc).name, []).append(dag)
    lines = [_HEAD]
    for file in sorted(p for p in folder.glob("*.py") if p.name != "__init__.py"):
        lines += [
            f"## dags/{file.name}",
            "",
            ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "",
            "",
        ]
        for dag in by_file.get(file.name, []):
            lines += _dag(dag)
    return "\n".join(lines).rstrip() + "\n"


def _dag(dag: Any) -> Iterator[str]:
    yield from (f"### {dag.dag_id}", "", dag.doc_md or "", "", "| | |", "|---|---|")
    yield from (f"| {name} | {value} |" for name, value in _facts(dag))
    yield ""
    if dag.params:
        yield from ("| field | default | limits | meaning |", "|---|---|---|---|")
        yield from (_field(name, dag.params.get_param(name)) for name in dag.params)
        yield ""


def _facts(dag: Any) -> Iterator[tuple[str, str]]:
    yield "runs", _schedule(dag.schedule) if dag.schedule else "when triggered"
    yield "tags", ", ".join(sorted(dag.tags))
    for task in dag.tasks:
        limit = f", at most {task.execution_timeout.total_seconds():.0f} s" if task.execution_timeout else ""
        yield f"task `{task.task_id}`", f"pool `{task.pool}`, {task.retries} retries{limit}"
        yield from ((f"`{task.task_id}` reads", _uris(task.inlets)),) if task.inlets else ()
        yield from ((f"`{task.task_id}` writes", _uris(task.outlets)),) if task.outlets else ()


def _schedule(cron: str) -> str:
    """The row's own text: which minute a stream starts at depends on the other streams."""
    text, moved = re.subn(r"^\d+-59/", "*/", cron)
    return f"`{text}`" + (
        ", a minute apart from the others on the same schedule" if moved or text.startswith("*/") else ""
    )


def _uris(found: Iterable[Any]) -> str:
    return ", ".join(f"`{asset.uri}`" for asset in found)


def _field(name: str, param: Any) -> str:
    return f"| `{name}` {param.schema['title']} | `{param.value}` | {limits(param.schema)} | {param.description} |"


def limits(schema: dict[str, Any]) -> str:
    """What a field accepts, in words."""
    if "$comment" in schema:
        return str(schema["$comment"])
    if schema["type"] == "boolean":
        return "true or false"
    return f"{schema['minimum']} to {schema['maximum']}"


def main(only: list[str]) -> None:
    from airflow.dag_processing.dagbag import DagBag

    folder = settings.ROOT / "dags"
    bag = DagBag(str(folder))
    if bag.import_errors:
        sys.exit(
            "; ".join(
                f"{Path(file).name}: {text.strip().rpartition(chr(10))[2]}"
                for file, text in bag.import_errors.items()
            )
        )
    print(page((dag for dag in bag.dags.values() if not only or dag.dag_id in only), folder), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
