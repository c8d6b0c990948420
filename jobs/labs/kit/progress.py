"""The progress that a streaming query reports of its batches: as rows of a table, bars on a terminal and a
picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pyspark.sql.streaming import StreamingQuery

COLUMNS = ("batch", "filas", "filas/s", "total ms", "addBatch ms", "planificar ms", "logs ms")
_BAR = 40


def batches(query: StreamingQuery) -> list[dict[str, Any]]:
    """The progress of the batches that ran, oldest first; Spark keeps the last 100.

    Spark also reports looks at the source that found nothing. They have no addBatch, and are left out.
    """
    return [p for p in query.recentProgress if "addBatch" in p["durationMs"]]


def rows_read(query: StreamingQuery) -> int:
    return sum(p["numInputRows"] for p in batches(query))


def rows_late(query: StreamingQuery) -> int:
    """Rows that the query's state operators dropped because they were behind the watermark."""
    states = [state for p in query.recentProgress for state in p["stateOperators"]]
    return sum(int(state["numRowsDroppedByWatermark"]) for state in states)


def row(progress: dict[str, Any]) -> tuple[Any, ...]:
    """The cells of COLUMNS. Logs are the offset log before a batch and the commit log after it."""
    took = progress["durationMs"]
    logs = sum(took.get(part, 0) for part in ("walCommit", "commitOffsets", "commitBatch"))
    rate = round(float(progress["processedRowsPerSecond"] or 0), 1)
    return (
        progress["batchId"],
        progress["numInputRows"],
        rate,
        took["triggerExecution"],
        took["addBatch"],
        took.get("queryPlanning", 0),
        logs,
    )


def summary(batches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Number of batches, their rows, and the least, mean and greatest duration of one in ms."""
    took = [p["durationMs"]["triggerExecution"] for p in batches]
    return {
        "batches": len(batches),
        "filas": sum(p["numInputRows"] for p in batches),
        "ms mínimo": min(took, default=0),
        "ms medio": round(fmean(took), 1) if took else 0,
        "ms máximo": max(took, default=0),
    }


def bars(labels: Sequence[str], values: Sequence[float], unit: str) -> list[str]:
    """One line for each value; the greatest fills the width."""
    greatest = max(values, default=0) or 1
    wide = max((len(label) for label in labels), default=0)
    return [
        f"{label.ljust(wide)} {'█' * round(_BAR * value / greatest)} {value:g} {unit}"
        for label, value in zip(labels, values, strict=True)
    ]


def plot(batches: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draws rows and time of each batch into the PNG `path`."""
    from matplotlib.figure import Figure  # takes half a second to import, so only where a picture is drawn

    numbers = [p["batchId"] for p in batches]
    figure = Figure(figsize=(8, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.bar(numbers, [p["numInputRows"] for p in batches], color="tab:blue")
    upper.set(title=title, ylabel="filas leídas")
    below = [0.0] * len(batches)
    for part in ("latestOffset", "queryPlanning", "walCommit", "addBatch", "commitOffsets"):
        heights = [p["durationMs"].get(part, 0) for p in batches]
        lower.bar(numbers, heights, bottom=below, label=part)
        below = [a + b for a, b in zip(below, heights, strict=True)]
    lower.set(xlabel="batch", ylabel="ms", xticks=numbers)
    figure.legend(loc="outside lower center", ncols=5, fontsize="small")
    figure.savefig(path)
