"""The commands that give a stream something to read: samples if they fit it, or the user's own records."""

from __future__ import annotations

from include import streams
from include.samples.kinds import KINDS, Kind
from jobs.contract.errors import Refused
from jobs.contract.stream import Stream, Topic


def own(stream: Stream) -> str:
    """The command that brings the user's own records to the source of `stream`, or of the stream that it
    reads from."""
    first = streams.origin(stream)
    if isinstance(first.source, Topic):
        return f"./caudal produce {first.source.name} --file FILE"
    return f"./caudal put {first.name} FILE"


def commands(stream: Stream) -> list[str]:
    """The commands, in order, from the first record to the first row of `stream`."""
    chain = streams.chain(stream)
    sample = f"./caudal sample {chain[0].name}"
    return [sample if _made_for(chain[0]) else own(stream), *(f"./caudal run {one.name}" for one in chain)]


def kind(stream: Stream) -> Kind:
    """The samples of a stream. Raises Refused if none fits it."""
    if stream.upstream:
        raise Refused(
            f"{stream.name} reads what {stream.upstream} publishes",
            stream.name,
            cli="; ".join(commands(stream)),
        )
    found = _made_for(stream)
    if found is None:
        names = ", ".join(kind.what for kind in KINDS.values())
        what = f"{stream.name} reads none of {names}, so all samples would be refused"
        raise Refused(what, stream.name, cli=f"{own(stream)} delivers your own data")
    return found


def _made_for(stream: Stream) -> Kind | None:
    return next((kind for tag, kind in KINDS.items() if tag in stream.tags), None)
