"""Does the checkpoint match its output? Collects the facts from disk; jobs.contract.commit.protocol decides."""

from __future__ import annotations

from include.state import journal
from jobs.contract.commit import loaded, manifest, protocol
from jobs.contract.commit.loaded import LoadedCheckpoint
from jobs.contract.disk.layout import Layout
from jobs.contract.errors import PairingBroken


def facts(
    layout: Layout, stream: str, generation: int, read: LoadedCheckpoint | None = None
) -> protocol.Facts:
    """Read-only. `read`: the checkpoint, if the caller has it. Contents are compared for what the checkpoint retains, and of the newest; older batches are proved by their gapless listing.

    Raises CheckpointDamaged or DataError for what cannot be read.
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
    """What a run finds. `read` as in `facts`. Raises PairingBroken with the rule's name."""
    verdict = protocol.pairing(facts(layout, stream, generation, read))
    if isinstance(verdict, protocol.Refuse):
        raise PairingBroken(f"{verdict.why} ({verdict.rule})", layout.checkpoint(stream, generation))
    return verdict
