"""What to type so that a stream has something to read: samples where they are made for it, else records of one's own."""

from __future__ import annotations

from include import streams
from include.samples.kinds import KINDS, Kind
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream, Topic


def own(stream: Stream) -> str:
    """The command that takes records of one's own to where `stream`, or the one it reads from, gets its records."""
    first = streams.origin(stream)
    if isinstance(first.source, Topic):
        return f"./caudal produce {first.source.name} --file FILE"
    return f"./caudal put {first.name} FILE"


def commands(stream: Stream) -> list[str]:
    """From the first record to the first row of `stream`: each command does what it says, in this order."""
    chain = streams.chain(stream)
    sample = f"./caudal sample {chain[0].name}"
    return [sample if _made_for(chain[0]) else own(stream), *(f"./caudal run {one.name}" for one in chain)]


def kind(stream: Stream) -> Kind:
    """Raises Refused for a stream that none of the samples is made for."""
    if stream.upstream:
        raise Refused(
            f"{stream.name} reads what {stream.upstream} publishes",
            stream.name,
            cli="; ".join(commands(stream)),
        )
    found = _made_for(stream)
    if found is None:
        names = ", ".join(kind.what for kind in KINDS.values())
        what = f"{stream.name} reads none of {names}, so the samples would all be refused"
        raise Refused(what, stream.name, cli=f"{own(stream)} takes your own data")
    return found


def _made_for(stream: Stream) -> Kind | None:
    return next((kind for tag, kind in KINDS.items() if tag in stream.tags), None)
