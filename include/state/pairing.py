"""Checks that the checkpoint matches its output.

This module collects the facts from disk, and jobs/contract/commit/protocol.py decides.
"""

from __future__ import annotations

from include.state import journal
from jobs.contract.commit import loaded, manifest, protocol
from jobs.contract.commit.loaded import LoadedCheckpoint
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import PairingBroken


def facts(
    layout: Layout, stream: str, generation: int, read: LoadedCheckpoint | None = None
) -> protocol.Facts:
    """Reads the facts. `read`: the checkpoint, if the caller has it already.

    Manifests are read for the batches that the checkpoint still has, and for the newest one. The others are
    proved by their numbers, which have no gap. Raises CheckpointDamaged, DataError.
    """
    read = read or loaded.load(layout.checkpoint(stream, generation))
    published = manifest.published(layout.output(stream, generation))
    plans = {b: plan for b, plan in read.plans.items() if b in published}
    cut = journal.open_operations(layout.journal(stream))
    return protocol.Facts(
        query_id=read.state.query_id,
        offsets=read.state.offsets,
        commits=read.state.commits,
        published=tuple(published),
        planned={b: plan.identity for b, plan in plans.items()},
        manifests={b: manifest.read(published[b]).identity for b in {*plans, *list(published)[-1:]}},
        journal=cut[0].kind if cut else "",
    )


def check(
    layout: Layout, stream: str, generation: int, read: LoadedCheckpoint | None = None
) -> protocol.Proceed:
    """What the next run has to do. `read` as in `facts`. Raises PairingBroken with the rule's name."""
    verdict = protocol.pairing(facts(layout, stream, generation, read))
    if isinstance(verdict, protocol.Refuse):
        raise PairingBroken(f"{verdict.why} ({verdict.rule})", layout.checkpoint(stream, generation))
    return verdict
