"""Invoices that were tampered with, by a seed: broken bytes, and documents that are still JSON but say
something odd."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Mutation = Callable[[Random, bytes], bytes]

# what parsers trip over, put in at any byte
PIECES = (
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-",
    b"+",
    b"0",
    b"00",
    b".",
    b"e",
    b"E+",
    b"'",
    b"/",
    b"//",
    b"/**/",
    b"#",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\x0b",
    b"\x0c",
    b"\x00",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xfe",
    b"\\u0000",
    b"\\u00",
    b"\\ud83d",
    b"\\ude00",
    b"\\ud83d\\ude00",
    b"\\U0041",
    b"\\x41",
    b"\\'",
    b"\\/",
    b"\\\n",
    b"\xc3\xa9",
    b"\xc0\x80",
    b"\xe0\x80\x80",
    b"\xed\xa0\x80",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\xf0\x9f\x98\x80",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\xc2\xa0",
    b'"a":1',
    b'"a":1,',
    b"{}",
    b"[]",
    b'""',
    b"]}",
    b"}{",
    b"0x1",
    b"1_0",
    b"1.",
)
# spellings of numbers, the most of them right for one type or the other
NUMBERS = (
    "0",
    "-0",
    "0.0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "1E+2",
    "1e-2",
    "0e0",
    "0e999",
    "1e308",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "1e309",
    "-1e400",
    "5e-324",
    "2e-324",
    "1e-999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "0.1",
    "0.30000000000000004",
    "123456789012345678",
    "9007199254740993",
    "9007199254740993.0",
    "2.2250738585072011e-308",
    "0.1000000000000000055511151231257827021181583404541015625",
    "1" * 30,
    "1" * 400,
    "1" * 1200,
    "0." + "3" * 900,
    "0." + "3" * 1200,
    "1e99999999999",
    "-1e-99999999999",
    "01",
    "-",
    "--1",
    "1e",
    "1e+",
    "1.e1",
    ".1",
    "+1",
    "0x10",
    "1f",
    "1d",
    "1L",
    "1,5",
    "\u0661",
    "Infinity",
    "NaN",
)
VALUES = (
    "null",
    "true",
    "false",
    '""',
    '"1"',
    '"x"',
    "[]",
    "{}",
    "[null]",
    "[{}]",
    "[[]]",
    '[{"ItemCode":null}]',
    "[{},null]",
    '{"City":1}',
    "[1]",
)
# under a name that the schema does not know
NASTY = (
    '{"a":1,"a":1}',
    '[{"a":{"b":1,"b":2}}]',
    '{"a":1,"\\u0061":2}',
    '"\\ud83d"',
    '{"\\ud83d":1}',
    "1e999",
    "1" * 1200,
    "NaN",
    "[" * 62 + "]" * 62,
    "[" * 63 + "]" * 63,
    "[" * 64 + "]" * 64,
    "[" * 5000,
    "[" * 5000 + "]" * 5000,
    '{"' + "n" * 9000 + '":1}',
    '{"' + "n" * 12000 + '":1}',
    '{"a":' * 30 + "1" + "}" * 30,
    '"' + "x" * 5000 + '"',
    '"\t"',
    '"\\x"',
    "'a'",
    "[1,]",
    "[,1]",
    '{"a"}',
    '{"a":}',
    "{a:1}",
    "tru",
    "nul",
    "TRUE",
    "/**/1",
    "1//\n",
    '"\\u12g4"',
    "[1 2]",
    '{"":{"":{}}}',
    '[0.1e1,-0,{"x":[true,false,null]}]',
)


def corpus(documents: list[str], seed: int, count: int) -> Iterator[bytes]:
    """`count` records: some whole, the most tampered with once, some twice or thrice."""
    random = Random(seed)
    for _ in range(count):
        record = random.choice(documents).encode()
        for _ in range(random.choice((0, 1, 1, 1, 1, 2, 3))):
            record = random.choice(MUTATIONS)(random, record)
        yield record


def _flip(random: Random, record: bytes) -> bytes:
    at = random.randrange(len(record))
    return record[:at] + bytes([record[at] ^ 1 << random.randrange(8)]) + record[at + 1 :]


def _insert(random: Random, record: bytes) -> bytes:
    at = random.randrange(len(record) + 1)
    return record[:at] + random.choice(PIECES) + record[at:]


def _replace(random: Random, record: bytes) -> bytes:
    at = random.randrange(len(record))
    return record[:at] + random.choice(PIECES) + record[at + random.randint(1, 3) :]


def _cut_out(random: Random, record: bytes) -> bytes:
    at = random.randrange(len(record))
    return record[:at] + record[at + random.randint(1, 20) :] or b"{"


def _truncate(random: Random, record: bytes) -> bytes:
    return record[: random.randrange(1, len(record) + 1)]


def _repeat(random: Random, record: bytes) -> bytes:
    at, length = random.randrange(len(record)), random.randint(1, 60)
    return record[: at + length] + record[at:]


def _append(random: Random, record: bytes) -> bytes:
    return record + random.choice((*PIECES, record, b" " + record))


def _space(random: Random, record: bytes) -> bytes:
    """Blanks behind commas, and now and then one that JSON does not have."""
    blanks = (b"", b"", b" ", b"\t\r\n ", b"\x0b" if random.random() < 0.02 else b"  ")
    return b"".join(part + b"," + random.choice(blanks) for part in record.split(b","))[
        : -1 if record.endswith(b",") else None
    ].rstrip(b", \t\r\n")


def _document(change: Callable[[Random, list[list[str]]], Any]) -> Mutation:
    """`change` edits the (key, value) texts of the document, of its first line or of its address. What is no
    such document stays."""

    def mutation(random: Random, record: bytes) -> bytes:
        path = random.choice(([], [], ["InvoiceLineItems", 0], ["DeliveryAddress"]))
        try:
            document = json.loads(record)
            inner = document
            for step in path:
                outer, inner = inner, inner[step]
            pairs = [
                [json.dumps(name), json.dumps(value, ensure_ascii=False)] for name, value in inner.items()
            ]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return record
        change(random, pairs)
        text = "{" + ",".join(map(":".join, pairs)) + "}"
        if path:
            outer[path[-1]] = "@@@"
            text = json.dumps(document, ensure_ascii=False).replace('"@@@"', text)
        return text.encode("utf-8", "surrogatepass")

    return mutation


def _any(change: Callable[[Random, list[str]], Any]) -> Mutation:
    """`change` edits one (key, value)."""
    return _document(lambda random, pairs: change(random, random.choice(pairs)) if pairs else None)


def _set(values: tuple[str, ...]) -> Mutation:
    def change(random: Random, pair: list[str]) -> None:
        pair[1] = random.choice(values)

    return _any(change)


def _unknown(random: Random, pairs: list[list[str]]) -> None:
    name = random.choice(
        ('"x"', '"x"', '""', '"Invoice Number"', '"\\u0041\\u00e9"', '"' + "k" * 20_000 + '"')
    )
    pairs.insert(random.randint(0, len(pairs)), [name, random.choice((*NASTY, *NASTY, *VALUES, *NUMBERS))])


def _twice(random: Random, pairs: list[list[str]]) -> None:
    if pairs:
        name, value = random.choice(pairs)
        pairs.insert(
            random.randint(0, len(pairs)),
            [random.choice((name, _escaped(random, name))), random.choice((value, "null", "1"))],
        )


def _escaped(random: Random, text: str) -> str:
    """A JSON string with some of its characters spelled by their numbers."""
    return "".join(
        f"\\u{ord(one):04x}" if random.random() < 0.2 and one not in '"\\' and ord(one) < 0x10000 else one
        for one in text
    )


def _escape_value(random: Random, pair: list[str]) -> None:
    at = random.randrange(2)
    if pair[at].startswith('"') and "\\" not in pair[at]:
        pair[at] = _escaped(random, pair[at])


def _recase(random: Random, pair: list[str]) -> None:
    pair[0] = random.choice((pair[0].lower(), pair[0].upper(), pair[0].swapcase(), pair[0][:-1] + ' "'))


MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _flip,
    _insert,
    _insert,
    _replace,
    _cut_out,
    _truncate,
    _repeat,
    _append,
    _space,
    _set(NUMBERS),
    _set(NUMBERS),
    _set(VALUES),
    _document(_unknown),
    _document(_unknown),
    _document(_twice),
    _document(lambda random, pairs: random.shuffle(pairs)),
    _document(lambda random, pairs: pairs and pairs.pop(random.randrange(len(pairs)))),
    _any(_escape_value),
    _any(_escape_value),
    _any(_recase),
)
