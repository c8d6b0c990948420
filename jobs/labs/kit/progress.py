"""What a streaming query tells of its batches: as rows of a table, bars on a terminal and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pyspark.sql.streaming import StreamingQuery

COLUMNS = ("batch", "filas", "filas/s", "total ms", "addBatch ms", "planificar ms", "logs ms")
_BAR = 40


def batches(query: StreamingQuery) -> list[dict[str, Any]]:
    """The progress of the batches that ran, oldest first (Spark keeps the last 100). Spark also tells when it looked and found nothing: left out."""
    return [p for p in query.recentProgress if "addBatch" in p["durationMs"]]


def rows_read(query: StreamingQuery) -> int:
    return sum(p["numInputRows"] for p in batches(query))


def row(progress: dict[str, Any]) -> tuple[Any, ...]:
    """As COLUMNS. Logs: the offset log before a batch and the commit log after it."""
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


def summary(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over all batches: their number, rows, and least, mean and greatest ms of one."""
    took = [p["durationMs"]["triggerExecution"] for p in found]
    return {
        "batches": len(found),
        "filas": sum(p["numInputRows"] for p in found),
        "ms mínimo": min(took, default=0),
        "ms medio": round(fmean(took), 1) if took else 0,
        "ms máximo": max(took, default=0),
    }


def bars(labels: Sequence[str], values: Sequence[float], unit: str) -> list[str]:
    """One line a value; the greatest fills the width."""
    greatest = max(values, default=0) or 1
    wide = max((len(label) for label in labels), default=0)
    return [
        f"{label.ljust(wide)} {'█' * round(_BAR * value / greatest)} {value:g} {unit}"
        for label, value in zip(labels, values, strict=True)
    ]


def plot(found: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Rows and time of each batch as a PNG."""
    from matplotlib.figure import Figure  # half a second to import: only where a picture is drawn

    numbers = [p["batchId"] for p in found]
    figure = Figure(figsize=(8, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.bar(numbers, [p["numInputRows"] for p in found], color="tab:blue")
    upper.set(title=title, ylabel="filas leídas")
    below = [0.0] * len(found)
    for part in ("latestOffset", "queryPlanning", "walCommit", "addBatch", "commitOffsets"):
        heights = [p["durationMs"].get(part, 0) for p in found]
        lower.bar(numbers, heights, bottom=below, label=part)
        below = [a + b for a, b in zip(below, heights, strict=True)]
    lower.set(xlabel="batch", ylabel="ms", xticks=numbers)
    figure.legend(loc="outside lower center", ncols=5, fontsize="small")
    figure.savefig(path)
