"""What a mistyped name was meant to be: the nearest of the names there are. `python3 -I nearest.py WORD
NAME...` prints the hint, too.

Standard library only, and Python 3.7 or newer: the front door runs it where nothing is installed.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

_MOST = 3
_LONGEST = 64  # letters of the word that are compared: no name is longer, and a word may be a whole file
_LIKE, _LIKE_HEAD = (
    0.6,
    0.8,
)  # difflib's own cutoff; more for a name that is only as long as the word because it was cut
_HEAD_LESS = 0.05  # of two that are as like, the whole name
_SHORTEST = 3  # letters that a name is looked for by its beginning or a part of it


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """At most three of `known`, the nearest first; none when nothing resembles `word`. Capitals, accents, `-`
    and `_` make no difference."""
    names: dict[str, str] = {}
    for name in known:
        names.setdefault(_plain(name), name)
    wanted = _plain(word[:_LONGEST])
    liked = {name: _likeness(wanted, name) for name in names}
    found = sorted((name for name, how in liked.items() if how), key=lambda name: -liked[name])
    return [names[name] for name in found[:_MOST]]


def _likeness(word: str, name: str) -> float:
    """0 for no resemblance. A name that begins with the word, or has it inside, is nearer than one that is
    only like it."""
    if word == name:
        return 4.0
    if len(word) >= _SHORTEST and word in name:
        return 3.0 if name.startswith(word) else 2.0
    whole = SequenceMatcher(None, word, name).ratio()
    head = SequenceMatcher(None, word, name[: len(word) + 1]).ratio()
    return max(whole if whole >= _LIKE else 0.0, head - _HEAD_LESS if head >= _LIKE_HEAD else 0.0)


def hint(word: str, known: Iterable[str]) -> str:
    """`. Did you mean 'a' or 'b'?`, to be put behind what is wrong; empty when nothing resembles `word`."""
    return f". Did you mean {listed(found, 'or')}?" if (found := nearest(word, known)) else ""


def listed(names: Sequence[str], last: str) -> str:
    """`'a', 'b' or 'c'`"""
    quoted = [repr(name) for name in names]
    return f" {last} ".join([*([", ".join(quoted[:-1])] if quoted[1:] else []), quoted[-1]])


def _plain(name: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return bare.casefold().replace("-", "_").replace(" ", "_")


if __name__ == "__main__":
    print(hint(sys.argv[1], sys.argv[2:]))
