"""Tokens record what an exactly-once sink has sent. A token is written in the same Kafka transaction as its
messages.

The key is the transactional id and the epoch, so compaction keeps the newest token of each epoch. Tokens of
other epochs are ignored. A *claim* is the first token that a run writes under an id, before it sends
anything. A task that finds the claim of a later run stops.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from jobs.contract.errors import DataError

NextOffsets = Mapping[str, Mapping[str, int]]  # topic -> partition -> first source offset not yet sent


@dataclass(frozen=True)
class Token:
    """`epoch`: the checkpoint's query id and the number of finished rewinds, so two homes on one broker have
    different epochs. `run`: id of the run that wrote the token.

    A task for a source partition fills `next`. A task for a whole batch fills `batch`, the newest batch that
    was sent, and `input_digest`.
    """

    epoch: str
    run: str
    claim: bool = False
    next: NextOffsets = field(default_factory=dict)
    batch: int = -1
    input_digest: str = ""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes, where: object = "") -> Token:
        """Raises DataError when the bytes are not a token, so another program writes to this topic."""
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError) as error:
            raise DataError(
                f"not a token ({type(error).__name__})",
                where,
                cli="find the other program that writes to this topic, and stop it",
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
    values = [value for key, value in records if key == wanted]
    return Token.from_json(values[-1], name) if values else None
