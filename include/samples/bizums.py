"""Seeded bizums (course: actividad 4), and the totals that must come out of them, computed from the lines in
plain Python.

A line is `Nombre;Cantidad;Concepto`. Names come in any case, with or without accents, and some lines are
malformed. Dated bizums have names by Faker, and the time they were sent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

_PEOPLE = ("Aitor", "María José", "Íñigo", "Begoña", "Ángel", "Lucía", "Peña", "Noa")
_WHAT = ("Cena restaurante", "Cine", "Regalo de Lucía", "Alquiler", "Café", "Gasolina, peaje", "Entradas")
_MALFORMED = (
    "Aitor;veinte;Cena",
    "Aitor;25",
    "",
    "Noa;;Cine",
    ";12;Café",
    "Noa;-3;Cine",
    "Ángel;1e400;Cine",
    "Lucía;25;Cine;otra cosa",
)
_MALFORMED_SHARE = 0.08


def lines(count: int, seed: int) -> Iterator[str]:
    """`count` lines without line ends. The same arguments give the same lines."""
    random = Random(seed)  # noqa: S311 - samples must be reproducible; nothing here is a secret
    for _ in range(count):
        if random.random() < _MALFORMED_SHARE:
            yield random.choice(_MALFORMED)
        else:
            who, amount = _spelled(random.choice(_PEOPLE), random), random.randrange(100, 20_000) / 100
            yield f"{who};{amount:g};{random.choice(_WHAT)}"


def dated_lines(count: int, seed: int, start: datetime, days: int = 3) -> Iterator[str]:
    """`Nombre;Cantidad;Concepto;Fecha`, names and amounts by Faker (es_ES), sent over `days` days from
    `start` on. They are nearly in order: one in ten comes up to six hours late."""
    from faker import Faker

    faker = Faker("es_ES")
    faker.seed_instance(seed)
    people = [faker.first_name() for _ in range(6)]
    random = Random(seed)  # noqa: S311 - as above
    for number in range(count):
        sent = start + timedelta(days=days) * (number / count)
        if random.random() < 0.1:
            sent -= timedelta(seconds=random.randrange(6 * 3600))
        who, amount, what = random.choice(people), random.randrange(100, 20_000) / 100, faker.word()
        yield f"{who};{amount:g};{what};{sent:%Y-%m-%dT%H:%M:%SZ}"


def _spelled(name: str, random: Random) -> str:
    """The same person, spelled differently."""
    ways = (
        str,
        str.upper,
        str.lower,
        _bare,
        lambda text: f" {text} ",
        lambda text: unicodedata.normalize("NFD", text),
    )
    return random.choice(ways)(name)


def _bare(name: str) -> str:
    return "".join(c if c in "ñÑ" else unicodedata.normalize("NFD", c)[0] for c in name)


def person(name: str) -> str:
    """The same text for each spelling of a person: without accents (ñ is a letter of its own), case and
    repeated blanks."""
    return _bare(unicodedata.normalize("NFC", " ".join(name.split()))).lower()


def good(line: str) -> tuple[str, float] | None:
    """(person, amount) of a well-formed line; None for a malformed one."""
    fields = line.split(";")
    if len(fields) < 3 or len(fields) > 4 or not fields[0].strip():
        return None
    try:
        amount = float(fields[1])
    except ValueError:
        return None
    return (person(fields[0]), amount) if 0 < amount < float("inf") and len(fields) == 3 else None


def totals_of(given: Iterable[str]) -> dict[str, float]:
    """What a run over all lines must report: lines (rows, refused and blank ones; blank ones are not
    records), people, sum of the amounts."""
    found = list(given)
    counted = [one for one in map(good, found) if one is not None]
    blank = sum(not line.strip() for line in found)
    total = round(sum(amount for _, amount in counted), 2)
    return {
        "lines": len(found),
        "rows": len(counted),
        "refused": len(found) - blank - len(counted),
        "blank": blank,
        "people": len({name for name, _ in counted}),
        "amount": total,
    }


def dated_totals_of(given: Iterable[str]) -> dict[str, float]:
    """What must come out of a run over all lines, and of a run of `bizums_por_dia` that closes their days."""
    lines = list(given)
    amount = round(sum(float(line.split(";")[1]) for line in lines), 2)
    late = behind(line.split(";")[3] for line in lines)
    return {
        "bizums": len(lines),
        "out_of_order": late,
        "people_and_days": len(highest_by_day(lines)),
        "amount": amount,
    }


def behind(times: Iterable[str]) -> int:
    """The number of times that come after a later one. All must have the same format, so that text order is
    time order."""
    latest, count = "", 0
    for time in times:
        count += time < latest
        latest = max(latest, time)
    return count


def highest(given: Iterable[str]) -> dict[str, float]:
    """Person -> the highest bizum."""
    found: dict[str, float] = {}
    for one in filter(None, map(good, given)):
        found[one[0]] = max(one[1], found.get(one[0], 0.0))
    return found


def highest_by_day(given: Iterable[str]) -> dict[tuple[str, str], float]:
    """(UTC day, person) -> the highest bizum of `dated_lines`."""
    found: dict[tuple[str, str], float] = {}
    for line in given:
        name, amount, _, sent = line.split(";")
        key = (sent[:10], person(name))
        found[key] = max(float(amount), found.get(key, 0.0))
    return found
