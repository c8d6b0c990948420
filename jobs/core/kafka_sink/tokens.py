"""Tokens: what an exactly-once sink has sent, written in the same Kafka transaction as the messages
themselves.

Key: the transactional id and the epoch, so that compaction keeps each epoch's newest; tokens of another epoch
count for nothing. A *claim* is the first token that a run writes under an id, before it sends anything;
whoever finds one of another run behind its own has been overtaken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from jobs.contract.errors import DataError

Next = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Token:
    """`epoch`: the checkpoint's query id and the number of rewinds; another home on the same broker has
    another. `run`: whose token.

    By source partition, `next`: {topic: {partition: first source offset not yet sent}}. By batch: the newest
    `batch` that is sent, and the digest of its input.
    """

    epoch: str
    run: str
    claim: bool = False
    next: Next = field(default_factory=dict)
    batch: int = -1
    input_digest: str = ""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes, where: object = "") -> Token:
        """Raises DataError: somebody else writes on this topic."""
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError) as error:
            raise DataError(
                f"not a token ({type(error).__name__})",
                where,
                cli="nobody but Caudal may write on this topic",
            ) from None

    def offset(self, topic: str, partition: int) -> int:
        """First source offset not yet sent."""
        return int(self.next.get(topic, {}).get(str(partition), 0))


def key_of(name: str, epoch: str) -> bytes:
    return f"{name} {epoch}".encode()


def id_of(key: bytes) -> str:
    """The transactional id in a token's key."""
    return key.decode().partition(" ")[0]


def newest(records: Iterable[tuple[bytes, bytes]], name: str, epoch: str) -> Token | None:
    """The last token of this id and epoch. Raises DataError."""
    wanted = key_of(name, epoch)
    found = [value for key, value in records if key == wanted]
    return Token.from_json(found[-1], name) if found else None
