"""Decides from a file's content whether it is refused whole.

It looks at the first MiB, and at what counting has seen of the rest. A file is refused only if no record in
its first MiB stands alone on a line. Every other fault is one of single records, which Spark judges.
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
_SAMPLE_BYTES = 4096  # enough to tell UTF-16, UTF-32 and binary data from text
# The control characters that text does not have; tab, line ends, form feed and escape are in text.
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x0b\x0c\x1b"))
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml)\b", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\r\n]*")
_SECOND_LINE = re.compile(r"[ \t]*\r\s*\S")
_JSON = JSONDecoder(
    parse_int=str, parse_float=str
)  # as text: Python refuses to parse 5,000 digits as a number
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
    """What a stream's row demands of a file.

    `unpack_ratio`: unpacked bytes for each packed byte. `separator`: of csv that is read line by line, whose
    quoted fields must not span lines. `size_limit`: the name of the limit that `file_bytes` holds.
    """

    format: Literal["json", "csv"]
    file_bytes: int
    line_bytes: int
    unpack_ratio: int
    separator: bytes = b""
    size_limit: Literal["file_bytes", "whole_file_bytes"] = "file_bytes"


@dataclass(frozen=True)
class Seen:
    """What counting has seen of a file's text. `head`: its first bytes, at most HEAD_BYTES.

    `longest_bytes`: of the longest line or record. `spanning`: the first and last line of a csv field that
    spans lines.
    """

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
    """Why the file is refused whole (code: what; what to do); empty if its records are judged one by one."""
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
    limit = f"the row allows line_bytes={demands.line_bytes}"
    return f"line-too-long: a line of {seen.longest_bytes} bytes, {limit}; split it, or raise the limit"


def _spanning(seen: Seen) -> str:
    """A line inside a quoted field may look like a whole row, and Spark would read it as one."""
    if seen.spanning is None:
        return ""
    first, last = seen.spanning
    what = f"a quoted field goes from line {first} to line {last}, and the row reads one record a line"
    remedy = "Files(multiline=True) in the row reads it, or write the file without line ends in its fields"
    return f"multiline-field: {what}; {remedy}"


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
    """Recognizes UTF-16 and UTF-32. A byte order mark alone may be a fault of the first record only."""
    name = encoding(head)
    if not name or _has_record(head, demands):
        return ""
    return f"encoding: the text is {name}, not UTF-8; iconv -f {name} -t UTF-8 FILE >NEW"


def encoding(head: bytes) -> str:
    """UTF-16 or UTF-32 if the text looks like it, by its mark or by a NUL in every other byte; else empty."""
    sample = head[:_SAMPLE_BYTES]
    marked = [name for mark, name in _WIDE_MARKS if head.startswith(mark)]
    return (marked[0] if marked and 0 in sample else "") or ("UTF-16" if _alternates(sample) else "")


def _alternates(sample: bytes) -> bool:
    if len(sample) < 16:
        return False
    low, high = sorted((sample[0::2].count(0), sample[1::2].count(0)))
    return high > 0.3 * len(sample) and low < 0.05 * len(sample)


def _has_record(head: bytes, demands: Demands) -> bool:
    """Whether some line of the head is a record: a JSON object; for csv, a line of clean text."""
    is_record = _is_object if demands.format == "json" else _is_clean
    return any(is_record(unmarked(line).strip(BLANKS)) for line in head.split(b"\n"))


def _is_object(line: bytes) -> bool:
    if not (line.startswith(b"{") and line.endswith(b"}")):
        return False
    try:
        return _JSON.raw_decode(line.decode())[1] == len(line.decode())
    except (ValueError, RecursionError):
        return False


def _is_clean(line: bytes) -> bool:
    """At least 8 characters of UTF-8 without a control character. Random bytes rarely make such a line."""
    try:
        return len(line.decode()) >= 8 and len(line.translate(None, _CONTROLS)) == len(line)
    except UnicodeDecodeError:
        return False


def _csv_shape(seen: Seen) -> str:
    """CR_ONLY if there is one line, and it has a CR outside quotes."""
    before, cr, after = seen.head.strip(BLANKS).partition(b"\r")
    is_outside = before.count(b'"') % 2 == 0
    return CR_ONLY if seen.records == 1 and cr and after.strip(BLANKS) and is_outside else ""


def _json_shape(seen: Seen) -> str:
    """The first JSON value decides for most files: if it ends on its line, the rest is judged as records."""
    text = unmarked(seen.head).decode("utf-8", "replace").replace("\n\ufeff", "\n")
    start = _skip(text, 0)
    if text[start : start + 1] not in ("{", "["):
        return ""
    if not seen.is_whole and seen.records > 1:  # only whole lines, so that no token is cut in two
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
    """(begin, end) of each JSON value; only white space is between them."""
    while start < len(text):
        end = _JSON.raw_decode(text, start)[1]
        yield start, end
        start = _skip(text, end)


def _one_line(text: str, kind: str, end: int, seen: Seen) -> str:
    """Judges a text whose first value stands on one line. That is a fault only if the text is one array, or
    if its lines end with CR."""
    if seen.records > 1:
        return ""
    if _SECOND_LINE.match(text, end):
        return CR_ONLY
    return kind if kind == ARRAY and not text[end:].strip() else ""


def _is_document(text: str, start: int, error: JSONDecodeError, seen: Seen) -> bool:
    """Whether the text, whose parsing stopped at `error`, is a document of several lines, with no record
    beside it. The document may go on after the head, may be cut off, or may be broken."""
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
    """Where the first value ends; `start` if that value is the broken one."""
    try:
        return _JSON.raw_decode(text, start)[1]
    except JSONDecodeError:
        return start


def _skip(text: str, start: int) -> int:
    blank = _BLANK.match(text, start)
    return blank.end() if blank else start
