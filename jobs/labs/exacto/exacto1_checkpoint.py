"""Exactly-once, condition 1: the same checkpoint."""

from __future__ import annotations

from jobs.labs.declared.ends import Folder, Pipeline
from jobs.labs.kit import tally
from jobs.labs.kit.files import deliver, lines, numbered
from jobs.labs.kit.lab import Facts, Lab


def run(lab: Lab) -> Facts:
    """Facts: a tally for a run with another checkpoint, and one with the same."""
    tallies = [_twice(lab, "otro", ("uno", "dos")), _twice(lab, "mismo", ("uno", "uno"))]
    lab.table(tally.COLUMNS, tally.rows(tallies))
    lab.say("otro checkpoint es otra consulta: empieza desde el principio")
    return tally.facts(tallies)


def _twice(lab: Lab, name: str, checkpoints: tuple[str, str]) -> tally.Tally:
    """Two deliveries, a run after each; the second one with the second checkpoint."""
    pipeline = Pipeline(Folder(f"entrada_{name}", "text"), Folder(f"salida_{name}", "text"))
    delivered: list[str] = []
    for number, checkpoint in enumerate(checkpoints):
        delivered += deliver(lab, f"{number}.txt", numbered(number * 50, 50), pipeline.source.path)  # type: ignore[union-attr]
        # a file sink remembers in its own folder what it has taken, so each checkpoint has a folder of its
        # own, as a new query would
        sink = (
            Folder(f"salida_{name}", "text") if checkpoint == "uno" else Folder(f"salida_{name}_otra", "text")
        )
        query = lab.start(
            lab.read(pipeline.source),
            Pipeline(pipeline.source, sink),
            f"{name}_{number}",
            checkpoint=f"{name}_{checkpoint}",
        )
        lab.follow(query)
    folders = (lab.path(f"salida_{name}"), lab.path(f"salida_{name}_otra"))
    return tally.of(f"{name} checkpoint", delivered, [line for folder in folders for line in lines(folder)])
