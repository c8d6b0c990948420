"""Long matrices of parameters: `./caudal test` runs a seeded part, `./caudal torture --tests` the rest."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

_SEED = 20261125


def seeded(values: Iterable[Any], short: int, *marks: pytest.MarkDecorator) -> list[Any]:
    """All of `values` in their order, with `marks`. A seeded choice of `short` of them runs in `./caudal
    test`; the others are marked torture. A tuple is a row of arguments."""
    found = list(values)
    chosen = {*Random(_SEED).sample(range(len(found)), short)}
    return [
        _param(value, marks if at in chosen else (*marks, pytest.mark.torture))
        for at, value in enumerate(found)
    ]


def long(value: Any) -> Any:
    """One parameter, or a row of arguments, that only the long run takes."""
    return _param(value, pytest.mark.torture)


def _param(value: Any, marks: Any) -> Any:
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=marks)
