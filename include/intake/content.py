"""What a file's content is, told from its first MiB and from what counting sees of the rest: text of one record a line, or something else.

A file is refused whole only when it holds no record that stands on a line of its own, as far as the first MiB shows; any other fault is a
matter of single records, and Spark's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import Literal

from include.intake import names
from jobs.contract.text.lines import BLANKS, unmarked

HEAD_BYTES = 1024 * 1024
_SAMPLE_BYTES = 4096
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x0b\x0c\x1b"))
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml)\b", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\r\n]*")
_SECOND_LINE = re.compile(r"[ \t]*\r\s*\S")
_JSON = JSONDecoder(parse_int=str, parse_float=str)  # a number of 5,000 digits is no error here
_WIDE_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)

CR_ONLY = "cr-only: its lines end with CR alone, as on old Macs; tr '\\r' '\\n' <FILE >NEW"
ARRAY = "json-array: one JSON array, where one record a line is expected; jq -c '.[]' FILE >NEW"
PRETTY = (
    "pretty-printed: JSON documents of several lines, where one record a line is expected; jq -c . FILE >NEW"
)
NUL = "nul-filled: nothing but NUL bytes, as a power cut leaves; deliver it again"


@dataclass(frozen=True)
class Demands:
    """What a stream's row asks of a file. `unpack_ratio`: bytes unpacked for one packed byte. `separator`: of csv read line by line, whose quoted
    fields must not span lines; `size_limit`: the limit that `file_bytes` is."""

    format: Literal["json", "csv"]
    file_bytes: int
    line_bytes: int
    unpack_ratio: int
    separator: bytes = b""
    size_limit: Literal["file_bytes", "whole_file_bytes"] = "file_bytes"


@dataclass(frozen=True)
class Seen:
    """A whole file's text, counted: `head` are its first bytes, at most HEAD_BYTES; `longest_bytes` its longest line, or record; `spanning` the
    lines in which a csv field with a line inside it begins and ends."""

    head: bytes
    size_bytes: int
    records: int
    longest_bytes: int
    all_nul: bool
    spanning: tuple[int, int] | None = None

    @property
    def is_whole(self) -> bool:
        return len(self.head) == self.size_bytes


def unfit(seen: Seen, demands: Demands) -> str:
    """The reason (code: what; way out) of a file that is refused whole; empty when its records are judged one by one."""
    if seen.all_nul and seen.size_bytes:
        return NUL
    if not seen.records:
        return "blank: not one record in it, only white space"
    reason = _binary(seen.head, demands) or _wide(seen.head, demands)
    if not reason:
        reason = _json_shape(seen) if demands.format == "json" else _csv_shape(seen)
    return reason or _too_long(seen, demands) or _spanning(seen)


def _too_long(seen: Seen, demands: Demands) -> str:
    if seen.longest_bytes <= demands.line_bytes:
        return ""
    return f"line-too-long: a line of {seen.longest_bytes} bytes, the row allows line_bytes={demands.line_bytes}; split it, or raise the limit"


def _spanning(seen: Seen) -> str:
    """A line inside a quoted field may look like a whole row, and would be read as one."""
    if seen.spanning is None:
        return ""
    first, last = seen.spanning
    what = f"a quoted field goes from line {first} to line {last}, and the row reads one record a line"
    return f"multiline-field: {what}; Files(multiline=True) in the row reads it, or write the file without line ends in its fields"


def _binary(head: bytes, demands: Demands) -> str:
    kind = names.magic(head)
    if kind:
        return f"binary: the content is {kind}; deliver text of one record a line"
    sample = head[:_SAMPLE_BYTES]
    controls = len(sample) - len(sample.translate(None, _CONTROLS)) - sample.count(0)
    if len(sample) >= 64 and controls > len(sample) // 20 and not _has_record(head, demands):
        return "binary: the content is no text; deliver text of one record a line"
    if demands.format == "json" and _MARKUP.match(unmarked(head)) and not _has_record(head, demands):
        return "markup: the content is HTML or XML; an error page instead of the data?"
    return ""


def _wide(head: bytes, demands: Demands) -> str:
    """By its mark, or by the NUL in every other byte. A mark alone may be a fault of the first record."""
    name = encoding(head)
    if not name or _has_record(head, demands):
        return ""
    return f"encoding: the text is {name}, not UTF-8; iconv -f {name} -t UTF-8 FILE >NEW"


def encoding(head: bytes) -> str:
    """UTF-16 or UTF-32, where the text seems to be that; else empty."""
    sample = head[:_SAMPLE_BYTES]
    marked = [name for mark, name in _WIDE_MARKS if head.startswith(mark)]
    return (marked[0] if marked and 0 in sample else "") or ("UTF-16" if _alternates(sample) else "")


def _alternates(sample: bytes) -> bool:
    if len(sample) < 16:
        return False
    low, high = sorted((sample[0::2].count(0), sample[1::2].count(0)))
    return high > 0.3 * len(sample) and low < 0.05 * len(sample)


def _has_record(head: bytes, demands: Demands) -> bool:
    """Whether some line of the head stands for itself: a JSON object; a CSV line of clean text."""
    found = (unmarked(line).strip(BLANKS) for line in head.split(b"\n"))
    return any(_is_object(line) if demands.format == "json" else _is_clean(line) for line in found)


def _is_object(line: bytes) -> bool:
    if not (line.startswith(b"{") and line.endswith(b"}")):
        return False
    try:
        return _JSON.raw_decode(line.decode())[1] == len(line.decode())
    except (ValueError, RecursionError):
        return False


def _is_clean(line: bytes) -> bool:
    """At least 8 characters of UTF-8 without a control character: random bytes hardly make such a line."""
    try:
        return len(line.decode()) >= 8 and len(line.translate(None, _CONTROLS)) == len(line)
    except UnicodeDecodeError:
        return False


def _csv_shape(seen: Seen) -> str:
    """CR outside quotes in the only line there is."""
    before, found, after = seen.head.strip(BLANKS).partition(b"\r")
    return (
        CR_ONLY if seen.records == 1 and found and after.strip(BLANKS) and before.count(b'"') % 2 == 0 else ""
    )


def _json_shape(seen: Seen) -> str:
    """The first value tells most files: it ends on its line, and what follows is a matter of records."""
    text = unmarked(seen.head).decode("utf-8", "replace").replace("\n\ufeff", "\n")
    start = _skip(text, 0)
    if text[start : start + 1] not in ("{", "["):
        return ""
    if not seen.is_whole and seen.records > 1:  # whole lines only: no token is torn then
        text = text[: text.rfind("\n", start) + 1] or text
    kind = ARRAY if text[start] == "[" else PRETTY
    try:
        for begin, end in _values(text, start):
            if "\n" not in text[begin:end]:
                return _one_line(text, kind, end, seen) if begin == start else ""
    except JSONDecodeError as error:
        return kind if _is_document(text, start, error, seen) else ""
    except RecursionError:
        return ""
    return kind


def _values(text: str, start: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of each JSON value, white space between them."""
    while start < len(text):
        end = _JSON.raw_decode(text, start)[1]
        yield start, end
        start = _skip(text, end)


def _one_line(text: str, kind: str, end: int, seen: Seen) -> str:
    """The first value stands on one line, which is no fault unless it is all there is: an array, or the first of lines that end with CR."""
    if seen.records > 1:
        return ""
    if _SECOND_LINE.match(text, end):
        return CR_ONLY
    return kind if kind == ARRAY and not text[end:].strip() else ""


def _is_document(text: str, start: int, error: JSONDecodeError, seen: Seen) -> bool:
    """Parsing stopped at `error`. A document of several lines that goes on beyond the head, or was cut, or is broken, and no record beside it."""
    body = text[start:].rstrip()
    open_end = not text[error.pos :].strip() or (
        error.msg.startswith("Unterminated") and "\n" not in body[error.pos - start :]
    )
    if not seen.is_whole and open_end:
        return "\n" in body or (seen.records == 1 and text[start] == "[")
    began = body.split("\n", 1)[0].strip() in ("{", "[")
    spans = "\n" in body and (open_end or began or "\n" in text[start : _first_end(text, start)])
    return spans and not _has_record(seen.head, Demands("json", 0, 0, 0))


def _first_end(text: str, start: int) -> int:
    """Where the first value ends; `start` when it is the broken one."""
    try:
        return _JSON.raw_decode(text, start)[1]
    except JSONDecodeError:
        return start


def _skip(text: str, start: int) -> int:
    found = _BLANK.match(text, start)
    return found.end() if found else start
