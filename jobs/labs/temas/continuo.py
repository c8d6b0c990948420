"""Continuous processing beside micro-batches: epochs and batches, and the rows that came through."""

from __future__ import annotations

from jobs.labs.declared.ends import Memory, Pipeline, Rate, Trigger
from jobs.labs.kit.lab import Facts, Lab

_ROWS_S = 20
WAYS: tuple[tuple[str, Trigger, str], ...] = (
    ("continuo", "continuous", "1 second"),
    ("micro-batches", "processing-time", "1 second"),
)


def run(lab: Lab) -> Facts:
    """Facts: for each trigger rows (values in the sink, sorted) and steps (epochs or batches that were
    closed)."""
    facts: Facts = {}
    for number, (name, trigger, interval) in enumerate(WAYS):
        pipeline = Pipeline(Rate(_ROWS_S), Memory(f"continuo_{number}"), trigger=trigger, interval=interval)
        query = lab.start(lab.read(pipeline.source).select("value"), pipeline, f"q{number}")
        lab.follow(query, seconds=float(lab.options["seconds"]))
        rows = sorted(row.value for row in lab.spark.table(f"continuo_{number}").collect())
        steps = len(list(lab.path("checkpoints", f"q{number}", "commits").glob("[0-9]*")))
        facts[name] = {"rows": rows, "steps": steps}
    lab.table(
        ("trigger", "filas", "épocas o lotes"),
        [(name, len(one["rows"]), one["steps"]) for name, one in facts.items()],
    )
    return facts
