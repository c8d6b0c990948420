"""Seeded invoices in the format of the course's documents, with the totals and rows that must come out of
them.

The expected values are computed from the documents themselves in plain Python, so a mistake of the generator
or of Spark is not repeated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from random import Random
from typing import Any

from include.samples.catalogue import CITIES, ITEMS, STORES, STREETS

MAX_LINES = 6
BLOCK = 10_000  # invoice numbers per seed; a larger sample uses the next seed's numbers, too
SEEDS = 9_000  # seeds with different numbers: SEEDS * BLOCK = all 8-digit numbers
_FIRST_NUMBER, _NUMBERS = 10_000_000, SEEDS * BLOCK
_STRIDE = (
    # coprime with _NUMBERS, so that no number repeats; near its golden section, so that neighbours are far
    # apart
    38_196_601
)
_GST, _CESS = 0.025, 0.00125  # shares of the taxable amount
_POINTS = 0.2  # loyalty points per unit of TotalAmount, a double as in the course
_HOME_SHARE, _PRIME_SHARE, _CARD_SHARE = 0.64, 0.4, 0.5  # as in the course's 500 invoices
_MAX_STEP_MS = 1500


@dataclass(frozen=True)
class Totals:
    """Sums of amounts are exact, because prices are whole. `loyalty_points` is the correctly rounded sum
    (math.fsum) in any order."""

    invoices: int
    lines: int
    total_amount: float
    total_value: float
    home_deliveries: int
    loyalty_points: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Sample:
    """`documents`: compact JSON, one invoice each, without line ends."""

    documents: list[str] = field(repr=False)
    totals: Totals

    def expected_lines(self) -> list[dict[str, Any]]:
        """One row per invoice line, 15 columns. City, State, PinCode are None for TAKEAWAY."""
        return [row for document in self.documents for row in lines_of(document)]

    def expected_notifications(self) -> list[dict[str, Any]]:
        """One row per invoice: InvoiceNumber, CustomerCardNo, TotalAmount, EarnedLoyaltyPoints."""
        return [notification_of(document) for document in self.documents]


def generate(count: int, seed: int, start_ms: int) -> Sample:
    """`count` invoices in memory. The same arguments give the same bytes. For 100,000s use `documents` and
    `totals_of`."""
    invoices = list(documents(count, seed, start_ms))
    return Sample(invoices, totals_of(invoices))


def documents(count: int, seed: int, start_ms: int) -> Iterator[str]:
    """`count` invoices, one at a time. CreatedTime rises from `start_ms` (ms since 1970).

    InvoiceNumbers are unique within a call. Two calls share none if their seeds differ modulo SEEDS by more
    than the blocks they use: seeds 1, 2, 3 with up to BLOCK invoices each; seed 1 with 500,000 uses the
    numbers of seeds 1 to 50.
    """
    if not 0 <= count <= _NUMBERS:
        raise ValueError(f"count={count} is not within 0 and {_NUMBERS}")
    random = Random(seed).random  # noqa: S311 - samples must be reproducible; nothing here is a secret
    time_ms, first = start_ms, seed * BLOCK
    for index in range(first, first + count):
        yield _document(random, _FIRST_NUMBER + index * _STRIDE % _NUMBERS, time_ms)
        time_ms += int(random() * _MAX_STEP_MS)


def files(number: int, each: int) -> dict[str, str]:
    """Invoices for labs, the same for everybody: muestras/facturas-1.json… -> `each` documents, one
    per line."""
    invoices = documents(number * each, 6, 1_700_000_000_000)
    return {
        f"muestras/facturas-{n}.json": "".join(f"{d}\n" for d in islice(invoices, each))
        for n in range(1, number + 1)
    }


def totals_of(documents: Iterable[str]) -> Totals:
    """Totals of any invoices, read from their text in one pass. Memory is 8 bytes per invoice."""
    invoices = lines = homes = 0
    amount, value, points = 0.0, 0.0, []
    for document in documents:
        invoice = json.loads(document)
        invoices += 1
        lines += len(invoice["InvoiceLineItems"])
        homes += invoice["DeliveryType"] == "HOME-DELIVERY"
        amount += invoice["TotalAmount"]
        value += sum(item["TotalValue"] for item in invoice["InvoiceLineItems"])
        points.append(invoice["TotalAmount"] * _POINTS)
    return Totals(invoices, lines, amount, value, homes, math.fsum(points))


def lines_of(document: str) -> list[dict[str, Any]]:
    """The rows that one invoice must become."""
    invoice = json.loads(document)
    names = (
        "InvoiceNumber",
        "CreatedTime",
        "StoreID",
        "PosID",
        "CustomerType",
        "PaymentMethod",
        "DeliveryType",
    )
    head = {name: invoice[name] for name in names}
    address = invoice.get("DeliveryAddress") or {}
    return [
        {**head, **{name: address.get(name) for name in ("City", "State", "PinCode")}, **item}
        for item in invoice["InvoiceLineItems"]
    ]


def notification_of(document: str) -> dict[str, Any]:
    """The message that one invoice must become; its key is InvoiceNumber."""
    invoice = json.loads(document)
    amount = invoice["TotalAmount"]
    names = ("InvoiceNumber", "CustomerCardNo", "TotalAmount")
    return {**{name: invoice[name] for name in names}, "EarnedLoyaltyPoints": amount * _POINTS}


def _document(random: Callable[[], float], number: int, time_ms: int) -> str:
    """The text is assembled by hand, in the course's key order: four times as fast as json.dumps."""
    items, total = _items(random)
    home = random() < _HOME_SHARE
    tax = repr(total * _GST)
    return (
        f'{{"InvoiceNumber":"{number}","CreatedTime":{time_ms},'
        f'"StoreID":"{STORES[int(random() * len(STORES))]}",'
        f'"PosID":"POS{100 + int(random() * 900)}","CashierID":"OAS{100 + int(random() * 900)}",'
        f'"CustomerType":"{"PRIME" if random() < _PRIME_SHARE else "NONPRIME"}",'
        f'"CustomerCardNo":"{_digits(random, 10)}","TotalAmount":{total}.0,"NumberOfItems":{len(items)},'
        f'"PaymentMethod":"{"CARD" if random() < _CARD_SHARE else "CASH"}",'
        f'"TaxableAmount":{total}.0,"CGST":{tax},"SGST":{tax},'
        f'"CESS":{total * _CESS!r},"DeliveryType":"{"HOME-DELIVERY" if home else "TAKEAWAY"}",'
        f'{_address(random) if home else ""}"InvoiceLineItems":[{",".join(items)}]}}'
    )


def _items(random: Callable[[], float]) -> tuple[list[str], int]:
    """(JSON text of each line, sum of their TotalValue)."""
    items, total = [], 0
    for _ in range(1 + int(random() * MAX_LINES)):
        code, name, price = ITEMS[int(random() * len(ITEMS))]
        quantity = 1 if random() < 0.5 else 2
        total += price * quantity
        items.append(
            f'{{"ItemCode":"{code}","ItemDescription":"{name}","ItemPrice":{price}.0,'
            f'"ItemQty":{quantity},"TotalValue":{price * quantity}.0}}'
        )
    return items, total


def _address(random: Callable[[], float]) -> str:
    city, state = CITIES[int(random() * len(CITIES))]
    return (
        f'"DeliveryAddress":{{"AddressLine":"{1 + int(random() * 9999)} '
        f'{STREETS[int(random() * len(STREETS))]}","City":"{city}","State":"{state}",'
        f'"PinCode":"{_digits(random, 6)}","ContactNumber":"{_digits(random, 10)}"}},'
    )


def _digits(random: Callable[[], float], count: int) -> str:
    """A number of `count` digits whose first is not 0."""
    least: int = 10 ** (count - 1)
    return str(least + int(random() * 9 * least))
