"""What a mistyped name was meant to be: the nearest of the names there are. `python3 -I nearest.py WORD NAME...` prints the hint, too.

Standard library only, and Python 3.7 or newer: the front door runs it where nothing is installed.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 3
_LONGEST = 64  # letters of the word that are compared: no name is longer, and a word may be a whole file
_SHORTEST = 3  # letters that a name is looked for by its beginning or a part of it


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """At most three of `known`, the nearest first; none when nothing resembles `word`. Capitals, accents, `-` and `_` make no difference."""
    names: dict[str, str] = {}
    for name in known:
        names.setdefault(_plain(name), name)
    wanted = _plain(word[:_LONGEST])
    found = [wanted] if wanted in names else []
    if len(wanted) >= _SHORTEST:
        found += [name for name in names if name.startswith(wanted)]
        found += [name for name in names if wanted in name]
    found += get_close_matches(wanted, names, _MOST)
    heads = {name[: len(wanted) + 1]: name for name in reversed(list(names))}
    found += [heads[head] for head in get_close_matches(wanted, heads, _MOST, 0.8)]
    return [names[name] for name in dict.fromkeys(found)][:_MOST]


def hint(word: str, known: Iterable[str]) -> str:
    """`. Did you mean 'a' or 'b'?`, to be put behind what is wrong; empty when nothing resembles `word`."""
    found = [repr(name) for name in nearest(word, known)]
    return f". Did you mean {' or '.join(found)}?" if found else ""


def pista(word: str, known: Iterable[str]) -> str:
    """The same in Spanish, for labs."""
    found = [repr(name) for name in nearest(word, known)]
    return f". ¿Querías decir {' o '.join(found)}?" if found else ""


def _plain(name: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return bare.casefold().replace("-", "_").replace(" ", "_")


if __name__ == "__main__":
    print(hint(sys.argv[1], sys.argv[2:]))
