"""Options of a lab: typed, within what may be, or one line that names them."""

from __future__ import annotations

import pytest

from include import labs
from jobs.contract.errors import UsageError
from jobs.labs.declared.lab import Option

COUNT, MODE = (
    Option("count", 3, "how many", least=1),
    Option("mode", "update", "which", choices=("update", "complete")),
)
PAUSE, LATEST = Option("pause", 0.5, "seconds", least=0), Option("latest", False, "yes or no")


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        (COUNT, "1", 1),
        (MODE, "complete", "complete"),
        (PAUSE, "0", 0.0),
        (LATEST, "YES", True),
        (LATEST, "no", False),
    ],
)
def test_a_value_is_of_the_defaults_type(option: Option, text: str, value: object) -> None:
    found = option.parse(text)
    assert (found, type(found)) == (value, type(option.default))


@pytest.mark.parametrize(
    ("option", "text", "why"),
    [
        (COUNT, "0", "'0' es menor que 1"),
        (COUNT, "1.5", "'1.5' no es un número entero"),
        (MODE, "append", "'append' no es ninguno de update, complete"),
        (PAUSE, "nan", "'nan' es menor que 0"),
        (LATEST, "maybe", "'maybe' no es yes o no"),
    ],
)
def test_another_value_is_refused_by_the_options_name(option: Option, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        option.parse(text)
    assert refused.value.where == f"--{option.name}"


def test_every_labs_defaults_may_be() -> None:
    options = [(lab.name, o) for lab in labs.collect()[0].values() for o in lab.options]
    typed = [
        (name, o, str(o.default).lower() if isinstance(o.default, bool) else str(o.default))
        for name, o in options
    ]
    assert [(name, o.name) for name, o, text in typed if o.parse(text) != o.default] == []
