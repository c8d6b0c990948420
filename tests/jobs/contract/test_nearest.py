"""The nearest names of a mistyped word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract.nearest import hint, nearest

STREAMS = (
    "bizums",
    "bizums_fechados",
    "bizums_por_dia",
    "facturas_ficheros",
    "facturas_kafka",
    "notificaciones",
)
LABS = ("actividad2_resumen", "camino", "trampa07_a_medio_escribir", "trampa08_enlaces", "sink_delta")


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("factura_fichero", STREAMS, ["facturas_ficheros"]),
        ("FACTURAS-KAFKA", STREAMS, ["facturas_kafka"]),
        ("facturas", STREAMS, ["facturas_ficheros", "facturas_kafka"]),
        ("ficheros", STREAMS, ["facturas_ficheros"]),
        ("notificación", STREAMS, ["notificaciones"]),
        ("trampa7", LABS, ["trampa07_a_medio_escribir", "trampa08_enlaces"]),
        ("resumen", LABS, ["actividad2_resumen"]),
        ("zzz", STREAMS, []),
        ("", STREAMS, []),
        ("x" * 1_000_000, STREAMS, []),
    ],
)
def test_nearest(word: str, known: tuple[str, ...], found: list[str]) -> None:
    assert nearest(word, known)[: len(found)] == found
    assert bool(nearest(word, known)) == bool(found)


def test_the_hint_follows_a_sentence_and_is_empty_without_a_name() -> None:
    assert hint("camin", LABS) == ". Did you mean 'camino'?"
    assert hint("zzz", LABS) == hint("camino", ()) == ""


names = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=5, max_size=30)


@given(st.lists(names, min_size=1, max_size=8, unique=True), st.data())
def test_one_wrong_letter_is_forgiven_and_only_names_that_exist_come_back(
    known: list[str], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(known))
    place = data.draw(st.integers(0, len(name) - 1))
    word = data.draw(
        st.sampled_from(
            [
                name[:place] + name[place + 1 :],
                name[:place] + "ñ" + name[place + 1 :],
                name[:place] + "x" + name[place:],
            ]
        )
    )
    found = nearest(word, known)
    assert set(found) <= set(known) and 1 <= len(found) <= 3
    assert nearest(name, known)[0] == name


@given(st.text(), st.lists(st.text()))
def test_no_text_breaks_it(word: str, known: list[str]) -> None:
    assert set(nearest(word, known)) <= set(known)
