"""Finds the names that are most similar to a mistyped one. `python3 -I nearest.py WORD NAME...` prints the
hint.

It uses only the standard library of Python 3.7, because `./caudal` runs it before anything is installed.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

_MOST = 3  # names in a hint
_LONGEST = 64  # letters of the word that are compared: no name is longer, but a word may be a whole file
_LIKE = 0.6  # least similarity of a name, as difflib's own cutoff
_LIKE_HEAD = 0.8  # least similarity of a name's beginning; higher, because a part is similar to many words
_HEAD_LESS = 0.05  # malus for a beginning: of two names that are equally similar, the whole one wins
_SHORTEST = 3  # letters; a shorter word is part of too many names


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """At most three of `known`, the most similar first; none when no name is similar to `word`. Capitals,
    accents, `-` and `_` make no difference."""
    names: dict[str, str] = {}
    for name in known:
        names.setdefault(_normalized(name), name)
    wanted = _normalized(word[:_LONGEST])
    scores = {name: _similarity(wanted, name) for name in names}
    ranked = sorted((name for name, score in scores.items() if score), key=lambda name: -scores[name])
    return [names[name] for name in ranked[:_MOST]]


def _similarity(word: str, name: str) -> float:
    """0 for none. A name that begins with the word or contains it ranks above names that are only similar."""
    if word == name:
        return 4.0
    if len(word) >= _SHORTEST and word in name:
        return 3.0 if name.startswith(word) else 2.0
    whole = SequenceMatcher(None, word, name).ratio()
    head = SequenceMatcher(None, word, name[: len(word) + 1]).ratio()
    return max(whole if whole >= _LIKE else 0.0, head - _HEAD_LESS if head >= _LIKE_HEAD else 0.0)


def hint(word: str, known: Iterable[str]) -> str:
    """`. Did you mean 'a' or 'b'?`, to be added to a message; empty when no name is similar to `word`."""
    return f". Did you mean {listed(names, 'or')}?" if (names := nearest(word, known)) else ""


def listed(names: Sequence[str], last: str) -> str:
    """`'a', 'b' or 'c'`"""
    quoted = [repr(name) for name in names]
    return f" {last} ".join([*([", ".join(quoted[:-1])] if quoted[1:] else []), quoted[-1]])


def _normalized(name: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return bare.casefold().replace("-", "_").replace(" ", "_")


if __name__ == "__main__":
    print(hint(sys.argv[1], sys.argv[2:]))
