"""The launcher's arguments: those that SparkSubmitOperator writes are accepted, all others are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.launch.request import Request, parse
from jobs.contract.errors import UsageError

LINE = [
    "--master",
    "local[2]",
    "--name",
    "x",
    "--deploy-mode",
    "client",
    "jobs/s.py",
    "--stream",
    "s",
    "--airflow-run-id",
    "scheduled__2026",
]
OPTIONS = {word for word in LINE if word.startswith("--")}
HOSTILE = st.sampled_from(
    ["--conf", "spark.jars=x", "--jars", "--py-files", "--properties-file", "-h", "", "--", "--stream"]
)


def test_the_operators_line_is_taken() -> None:
    assert parse(LINE) == Request("s", "scheduled__2026", "local[2]")
    assert parse(["jobs/s.py", "--stream", "s"]) == Request("s", "", "local[2]")


@given(st.integers(0, len(LINE)), st.lists(HOSTILE | st.text(max_size=8), min_size=1, max_size=3))
def test_words_put_in_anywhere_are_refused_or_change_only_the_five_known_values(
    at: int, words: list[str]
) -> None:
    line = [*LINE[:at], *words, *LINE[at:]]
    try:
        found = parse(line)
    except UsageError:
        return
    assert {found.stream, found.airflow_run_id} <= {*line}
    assert not {"--conf", "--jars", "--py-files", "--properties-file"} & {*words} - {
        line[i + 1] for i, w in enumerate(line[:-1]) if w in OPTIONS
    }


@pytest.mark.parametrize(
    "master", ["yarn", "local[2];x", "k8s://h:1", "local[2]\n", "", "spark://", "local[2] --conf a=b"]
)
def test_only_local_and_standalone_masters_are_known(master: str) -> None:
    with pytest.raises(UsageError, match="unknown master"):
        parse(["--master", master, "jobs/s.py", "--stream", "s"])


@pytest.mark.parametrize("run_id", ["-x", "a b", "a\nb", "${x}", "a'b", "x" * 251])
def test_a_run_id_that_is_not_airflows_is_refused(run_id: str) -> None:
    with pytest.raises(UsageError, match="run id"):
        parse(["jobs/s.py", "--stream", "s", "--airflow-run-id", run_id])


def test_windows_are_closed_only_when_that_is_asked_in_the_one_form() -> None:
    assert parse([*LINE, "--close-windows", "yes"]).close_windows
    assert not parse([*LINE, "--close-windows", "no"]).close_windows
    with pytest.raises(UsageError, match="takes yes or no"):
        parse([*LINE, "--close-windows", "true"])
