"""Finds the open windows of a stateful stream, and plans the closing batch that publishes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.contract.commit import closing_batch
from jobs.contract.errors import BrokenStream

# Operators that a closing batch may pass through: one aggregation, and operators that emit nothing when they
# drop state.
_AGGREGATION = "stateStoreSave"
_SILENT = ("dedupe", "dedupeWithinWatermark")


def write_closing_batch(spark: SparkSession, path: Path, now_ms: int, stream: str) -> bool:
    """Plans a closing batch in the checkpoint at `path`; all its batches must be committed. Returns False
    when nothing was read since the last closing batch.

    Raises BrokenStream for a transform whose open windows cannot be determined.
    """
    if not closing_batch.is_due(path):
        return False
    closing_batch.plan(path, max(closing_batch.watermark_ms(path), _last_end_ms(spark, path, stream)), now_ms)
    return True


def _last_end_ms(spark: SparkSession, path: Path, stream: str) -> int:
    """When the last open window ends, in ms since 1970; -1 when none is open."""
    operators = {
        row.operatorId: row.operatorName
        for row in spark.read.format("state-metadata").load(str(path)).collect()
    }
    aggregations = [number for number, name in operators.items() if name == _AGGREGATION]
    others = sorted(set(operators.values()) - {_AGGREGATION, *_SILENT})
    if others or len(aggregations) != 1:
        kept = ", ".join(others) or f"{len(aggregations)} aggregations"
        raise BrokenStream(
            f"windows can be closed only for one aggregation by window; this transform keeps state in {kept}",
            stream,
            cli=_WAY,
        )
    state = spark.read.format("statestore").option("operatorId", aggregations[0]).load(str(path))
    (end,) = state.select(
        F.coalesce(F.unix_millis(F.max(_window(state, stream).getField("end"))), F.lit(-1))
    ).head() or (-1,)
    return int(end)


def _window(state: DataFrame, stream: str) -> Any:
    for key in state.schema["key"].dataType.fields:
        if isinstance(key.dataType, StructType) and key.dataType.names == ["start", "end"]:
            return F.col(f"key.`{key.name}`")
    raise BrokenStream("windows can be closed only where the transform groups by window(…)", stream, cli=_WAY)


_WAY = (
    "leave out --close-windows, and close_windows in the row: each window is published when the watermark "
    "has passed it"
)
