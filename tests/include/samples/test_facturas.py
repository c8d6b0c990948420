"""The sample invoices: shaped like the course's, consistent, unique, the same for the same seed; the expected
side is checked by hand."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest

from include.samples import facturas
from include.samples.catalogue import CITIES, ITEMS

START_MS = 1_595_688_900_348
KEYS = [
    "InvoiceNumber",
    "CreatedTime",
    "StoreID",
    "PosID",
    "CashierID",
    "CustomerType",
    "CustomerCardNo",
    "TotalAmount",
    "NumberOfItems",
    "PaymentMethod",
    "TaxableAmount",
    "CGST",
    "SGST",
    "CESS",
    "DeliveryType",
    "DeliveryAddress",
    "InvoiceLineItems",
]
COURSE = (
    '{"InvoiceNumber":"93647513","CreatedTime":1595688902254,"StoreID":"STR8513","PosID":"POS881","CashierID":"OAS354",'
    '"CustomerType":"NONPRIME","CustomerCardNo":"2599848717","TotalAmount":3374.0,"NumberOfItems":1,"PaymentMethod":"CARD",'
    '"TaxableAmount":3374.0,"CGST":84.35000000000001,"SGST":84.35000000000001,"CESS":4.2175,"DeliveryType":"TAKEAWAY",'
    '"InvoiceLineItems":[{"ItemCode":"258","ItemDescription":"Closet","ItemPrice":1687.0,"ItemQty":2,"TotalValue":3374.0}]}'
)


@pytest.fixture(scope="module")
def invoices() -> list[dict[str, Any]]:
    return [json.loads(d) for d in facturas.documents(2000, seed=7, start_ms=START_MS)]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert facturas.generate(50, 3, START_MS) == facturas.generate(50, 3, START_MS)
    assert facturas.generate(50, 3, START_MS).documents != facturas.generate(50, 4, START_MS).documents


def test_a_document_has_the_course_s_keys_in_its_order_and_no_space(invoices: list[dict[str, Any]]) -> None:
    for invoice in invoices:
        delivered = invoice["DeliveryType"] == "HOME-DELIVERY"
        assert list(invoice) == [k for k in KEYS if delivered or k != "DeliveryAddress"]
    text = next(facturas.documents(1, 7, START_MS))
    assert text == json.dumps(json.loads(text), separators=(",", ":"))


def test_all_kinds_of_invoice_come_in_the_course_s_shares(invoices: list[dict[str, Any]]) -> None:
    assert {len(i["InvoiceLineItems"]) for i in invoices} == {1, 2, 3, 4, 5, 6}
    assert {i["CustomerType"] for i in invoices} == {"PRIME", "NONPRIME"}
    assert {i["PaymentMethod"] for i in invoices} == {"CARD", "CASH"}
    assert 0.58 < sum(i["DeliveryType"] == "HOME-DELIVERY" for i in invoices) / len(invoices) < 0.70
    assert {
        (i["DeliveryAddress"]["City"], i["DeliveryAddress"]["State"])
        for i in invoices
        if "DeliveryAddress" in i
    } == set(CITIES)
    assert len({line["ItemCode"] for i in invoices for line in i["InvoiceLineItems"]}) == len(ITEMS)


def test_every_amount_agrees_with_its_lines_as_in_the_course_s_sample(invoices: list[dict[str, Any]]) -> None:
    for i in invoices:
        lines = i["InvoiceLineItems"]
        assert all(line["TotalValue"] == line["ItemPrice"] * line["ItemQty"] for line in lines)
        assert i["TotalAmount"] == i["TaxableAmount"] == sum(line["TotalValue"] for line in lines)
        assert (i["CGST"], i["SGST"], i["CESS"]) == (
            i["TaxableAmount"] * 0.025,
            i["TaxableAmount"] * 0.025,
            i["TaxableAmount"] * 0.00125,
        )
        assert i["NumberOfItems"] == len(lines)


def test_times_rise_from_the_given_start(invoices: list[dict[str, Any]]) -> None:
    times = [i["CreatedTime"] for i in invoices]
    assert times[0] == START_MS
    assert all(0 <= later - earlier < 1500 for earlier, later in itertools.pairwise(times))


def test_invoice_numbers_have_eight_digits_and_never_repeat_within_or_across_seeds() -> None:
    numbers = [
        json.loads(d)["InvoiceNumber"]
        for seed in (1, 2, facturas.SEEDS)
        for d in facturas.documents(facturas.BLOCK, seed, 0)
    ]
    assert len(set(numbers)) == 3 * facturas.BLOCK
    assert all(len(n) == 8 and n.isdigit() for n in numbers)


def test_totals_are_those_of_the_documents() -> None:
    sample = facturas.generate(300, 11, START_MS)
    lines, messages = sample.expected_lines(), sample.expected_notifications()
    assert sample.totals == facturas.Totals(
        invoices=300,
        lines=len(lines),
        total_amount=sum(m["TotalAmount"] for m in messages),
        total_value=sum(row["TotalValue"] for row in lines),
        home_deliveries=sum(json.loads(d)["DeliveryType"] == "HOME-DELIVERY" for d in sample.documents),
        loyalty_points=sample.totals.loyalty_points,
    )
    assert sample.totals.total_amount == sample.totals.total_value
    assert sample.totals.loyalty_points == pytest.approx(sample.totals.total_amount * 0.2, rel=1e-12)


def test_the_expected_side_of_a_course_invoice_is_the_course_s() -> None:
    assert facturas.lines_of(COURSE) == [
        {
            "InvoiceNumber": "93647513",
            "CreatedTime": 1595688902254,
            "StoreID": "STR8513",
            "PosID": "POS881",
            "CustomerType": "NONPRIME",
            "PaymentMethod": "CARD",
            "DeliveryType": "TAKEAWAY",
            "City": None,
            "State": None,
            "PinCode": None,
            "ItemCode": "258",
            "ItemDescription": "Closet",
            "ItemPrice": 1687.0,
            "ItemQty": 2,
            "TotalValue": 3374.0,
        }
    ]
    assert json.dumps(facturas.notification_of(COURSE)) == (
        '{"InvoiceNumber": "93647513", "CustomerCardNo": "2599848717", "TotalAmount": 3374.0, '
        '"EarnedLoyaltyPoints": 674.8000000000001}'
    )
    assert facturas.totals_of([COURSE, COURSE]) == facturas.Totals(
        2, 2, 6748.0, 6748.0, 0, 1349.6000000000001
    )


def test_no_invoices_give_empty_totals_and_too_many_are_refused() -> None:
    assert facturas.generate(0, 1, 0) == facturas.Sample([], facturas.Totals(0, 0, 0.0, 0.0, 0, 0.0))
    with pytest.raises(ValueError, match="count=-1"):
        next(facturas.documents(-1, 1, 0))


def test_documents_stream_fast_enough_for_half_a_million() -> None:
    start = time.process_time()
    count = sum(1 for _ in facturas.documents(20_000, 1, 0))
    assert (
        count / (time.process_time() - start) > 20_000
    )  # per CPU second; 197,000 measured, so a slow machine passes, too


def test_the_files_of_labs_are_the_same_for_everybody_and_share_no_invoice() -> None:
    made = facturas.files(2, 3)
    assert made == facturas.files(2, 3)
    assert list(made) == ["muestras/facturas-1.json", "muestras/facturas-2.json"]
    assert (
        len({json.loads(line)["InvoiceNumber"] for text in made.values() for line in text.splitlines()}) == 6
    )
