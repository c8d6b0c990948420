"""What Spark and the publish step would do on a disk state, played without the protocol's rules, and the
states a crash leaves behind.

The player knows Spark's start as tried on Spark 4.2: the newest offset is run again if it is not the newest
commit, everything below is taken for done, batch n needs offset n-1 and the metadata file, and a batch is not
committed twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, product

from jobs.contract.commit.manifest import Identity
from jobs.contract.commit.protocol import Facts, Next

BATCHES = (0, 1, 2, 3)


def right(batch: int, query_id: str = "q") -> Identity:
    """What batch `batch` holds by its plan."""
    return Identity(query_id, f"p{batch}", f"p{batch + 1}", f"digest {batch}")


def fresh(batch: int, query_id: str) -> Identity:
    """A batch planned now: it takes what has arrived since, so it equals nothing that was ever published
    under its number."""
    return replace(right(batch, query_id), input_digest="what has arrived since")


OTHERS = {
    "query": lambda i: replace(i, query_id="another"),
    "start": lambda i: replace(i, start="elsewhere"),
    "end": lambda i: replace(i, end="elsewhere"),
    "digest": lambda i: replace(i, input_digest="other files"),
}


def subsets(items: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(items, n) for n in range(len(items) + 1))


@dataclass(frozen=True)
class Disk:
    """What lies there. `wrong`: published batches whose content is another's; `kind`: in what it differs."""

    query_id: str | None
    offsets: tuple[int, ...]
    commits: tuple[int, ...]
    published: tuple[int, ...]
    wrong: tuple[int, ...] = ()
    kind: str = "digest"

    @property
    def retained(self) -> set[int]:
        return {b for b in self.offsets if b == 0 or b - 1 in self.offsets}

    def content(self, batch: int) -> Identity:
        """Identity in the manifest; the output was written by query q."""
        return OTHERS[self.kind](right(batch)) if batch in self.wrong else right(batch)

    def facts(self) -> Facts:
        known = self.retained & set(self.published) if self.query_id else set()
        return Facts(
            self.query_id,
            self.offsets,
            self.commits,
            self.published,
            planned={b: right(b, self.query_id or "") for b in self.retained} if self.query_id else {},
            manifests={b: self.content(b) for b in known | {*self.published[-1:]}},
        )


class Stuck(Exception):
    """The run cannot go on; a human is needed. Nothing was lost by it."""


def publish_as_the_house_says(out: dict[int, Identity], batch: int, plan: Identity) -> None:
    if out.setdefault(batch, plan) != plan:
        raise Stuck("published from other input")


def play(disk: Disk) -> tuple[dict[int, Identity], list[int]]:
    """Spark starts on this checkpoint, runs what it thinks is open and one new batch. Returns the output and
    the batches it ran."""
    if disk.query_id is None and (disk.offsets or disk.commits):
        raise Stuck("STREAMING_CHECKPOINT_MISSING_METADATA_FILE")
    query_id = disk.query_id or "a new one"
    out = {b: disk.content(b) for b in disk.published}
    newest = max(disk.offsets, default=-1)
    if newest > 0 and newest - 1 not in disk.offsets:
        raise Stuck(f"batch {newest - 1} doesn't exist")
    open_batch = newest >= 0 and (not disk.commits or max(disk.commits) != newest)
    if open_batch:
        publish_as_the_house_says(out, newest, right(newest, query_id))
    ran = [newest] * open_batch + [newest + 1]
    for batch in ran:
        if batch > newest:
            publish_as_the_house_says(out, batch, fresh(batch, query_id))
        if batch in disk.commits or (disk.commits and max(disk.commits) > batch):
            raise Stuck("CONCURRENT_STREAM_LOG_UPDATE")
    return out, ran


def safe(disk: Disk) -> bool:
    """After the run every planned batch stands published once, with its own content, and nothing else
    does."""
    try:
        out, (*_, last) = play(disk)
    except Stuck:
        return False
    query_id = disk.query_id or "a new one"
    return out == {b: right(b, query_id) for b in range(last)} | {last: fresh(last, query_id)}


def disks() -> Iterator[Disk]:
    """offsets x commits x published x wrong contents x query id. Content below what the checkpoint retains is
    taken as right: nobody can know."""
    for query_id, offsets, commits, published in product(
        (None, "q", "other"), subsets(BATCHES), subsets(BATCHES), subsets(BATCHES)
    ):
        disk = Disk(query_id, offsets, commits, published)
        for wrong in subsets(tuple(sorted(disk.retained & set(published)))):
            yield replace(disk, wrong=wrong)


# What kill -9 and power cuts leave, by hand; the model in test_protocol_model.py reaches these and many more
# by itself.
REACHABLE = {
    "nothing yet": (Disk(None, (), (), ()), Next.FRESH, 0),
    "crash in the first batch, metadata only": (Disk("q", (), (), ()), Next.FRESH, 0),
    "first batch planned": (Disk("q", (0,), (), ()), Next.RERUN, 0),
    "first batch published, not committed": (Disk("q", (0,), (), (0,)), Next.RERUN, 0),
    "first batch committed": (Disk("q", (0,), (0,), (0,)), Next.ONWARD, 1),
    "planned": (Disk("q", (0, 1), (0,), (0,)), Next.RERUN, 1),
    "published, not committed": (Disk("q", (0, 1), (0,), (0, 1)), Next.RERUN, 1),
    "power cut took two commits": (Disk("q", (0, 1, 2), (0,), (0, 1, 2)), Next.RERUN, 2),
    "power cut took all commits": (Disk("q", (0, 1, 2), (), (0, 1, 2)), Next.RERUN, 2),
    "an older commit was never written again": (Disk("q", (0, 1, 2), (0, 2), (0, 1, 2)), Next.ONWARD, 3),
    "old offsets removed, their commits not yet": (
        Disk("q", (2, 3), (0, 1, 2, 3), (0, 1, 2, 3)),
        Next.ONWARD,
        4,
    ),
    "killed while old offsets were removed out of order": (
        Disk("q", (0, 2, 3), (0, 1, 2), (0, 1, 2, 3)),
        Next.RERUN,
        3,
    ),
}

REFUSED = {
    "no-query-id": Disk(None, (0, 1), (0,), (0,)),
    "offset-gap": Disk("q", (1, 3), (1,), (0, 1, 2)),
    "offset-lost": Disk("q", (0, 1), (0, 1, 2), (0, 1, 2)),
    "output-ahead": Disk("q", (0, 1), (0,), (0, 1, 2)),
    "output-missing": Disk("q", (0, 1, 2), (0, 1), (0, 2)),
    "other-query": Disk("other", (0, 1), (0,), (0, 1)),
    "other-batch": Disk("q", (0, 1), (0,), (0, 1), (1,)),
}
