"""Records that are malformed in ways a reader may overlook, each with an invoice number of its own to look
for afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

Spoil = Callable[[str], str]


def _changed(document: str, **values: object) -> str:
    return json.dumps({**json.loads(document), **values}, separators=(",", ":"))


def _without(document: str, name: str) -> str:
    return json.dumps({k: v for k, v in json.loads(document).items() if k != name}, separators=(",", ":"))


# Kinds that change the schema which the plain job infers are left out, such as fractions in a column of whole
# numbers: they would spoil every row.
KINDS: dict[str, Spoil] = {
    "cut off": lambda d: d[: len(d) // 2],
    "last brace missing": lambda d: d[:-1],
    "trailing comma": lambda d: d[:-1] + ",}",
    "trailing words": lambda d: d + " ok",
    "second document on the line": lambda d: d + d.replace('"CreatedTime"', '"CreatedTime" ', 1),
    "raw control character": lambda d: d.replace('"StoreID":"', '"StoreID":"\x01', 1),
    "duplicate key": lambda d: d[:-1] + ',"StoreID":"XXX"}',
    "single quotes inside": lambda d: d.replace('"StoreID":"', '"StoreID":\'', 1),
    "number as text": lambda d: _changed(d, TotalAmount="9.5"),
    "text as number": lambda d: _changed(d, StoreID=7),
    "NaN": lambda d: _changed(d, TotalAmount=float("nan")),
    "number beyond a double": lambda d: _changed(d, TotalAmount="@").replace('"@"', "1e400"),
    "leading zero": lambda d: d.replace('"CreatedTime":', '"CreatedTime":0', 1),
    "object where text is": lambda d: _changed(d, StoreID={"a": 1}),
    "line items null": lambda d: _changed(d, InvoiceLineItems=None),
    "line items empty": lambda d: _changed(d, InvoiceLineItems=[]),
    "line items missing": lambda d: _without(d, "InvoiceLineItems"),
    "a line item null": lambda d: d.replace('"InvoiceLineItems":[', '"InvoiceLineItems":[null,', 1),
    "comment": lambda d: "/* x */" + d,
    "array around the document": lambda d: f"[{d}]",
}


def spoiled(documents: Iterator[str]) -> dict[str, str]:
    """Invoice number -> malformed line, one of each kind."""
    return {
        json.loads(document)["InvoiceNumber"]: spoil(document)
        for spoil, document in zip(KINDS.values(), documents, strict=False)
    }
