"""Does the checkpoint match its output? Collects the facts from disk; jobs.contract.commit.protocol decides."""

from __future__ import annotations

from include.state import journal
from jobs.contract.commit import batch_plan, checkpoint, manifest, protocol
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import PairingBroken


def facts(layout: Layout, stream: str, generation: int) -> protocol.Facts:
    """Read-only. Contents are compared for what the checkpoint retains, and of the newest; older batches are proved by their gapless listing.

    Raises CheckpointDamaged or DataError for what cannot be read.
    """
    state = checkpoint.read(layout.checkpoint(stream, generation))
    published = manifest.published(layout.output(stream, generation))
    plans = {b: plan for b, plan in batch_plan.retained(state).items() if b in published}
    cut = journal.open_operations(layout.journal(stream))
    return protocol.Facts(
        query_id=state.query_id,
        offsets=state.offsets,
        commits=state.commits,
        published=tuple(published),
        planned={b: plan.identity for b, plan in plans.items()},
        manifests={b: manifest.read(published[b]).identity for b in {*plans, *list(published)[-1:]}},
        journal=cut[0].kind if cut else "",
    )


def check(layout: Layout, stream: str, generation: int) -> protocol.Proceed:
    """What a run finds. Raises PairingBroken with the rule's name."""
    verdict = protocol.pairing(facts(layout, stream, generation))
    if isinstance(verdict, protocol.Refuse):
        raise PairingBroken(f"{verdict.why} ({verdict.rule})", layout.checkpoint(stream, generation))
    return verdict
