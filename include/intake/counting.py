"""One pass over a file: its sha256, its size and its number of records.

A record is a line that is not blank; lines end at \\n only. For csv whose fields may span lines, records are
what jobs/contract/text/csv_records.py cuts.
"""

from __future__ import annotations

import bz2
import errno
import fcntl
import hashlib
import os
import signal
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from include.intake import content, names
from include.intake.content import Demands
from include.intake.tally import CsvRecordCounter, LineCounter, SpanningFields
from include.intake.types import Busy
from jobs.contract.text import lines
from jobs.contract.text.lines import Codec

CHUNK_BYTES = 1024 * 1024
_PIECE_BYTES = 16 * 1024  # compressed bytes unpacked at once: gzip makes at most 16 MB of them
_GZIP = 31  # zlib's window bits for a gzip header
# Unpacked bytes from which the ratio counts. A smaller bomb does no harm, and a small file of equal lines may
# well be packed 1,000 to 1.
_RATIO_FROM_BYTES = 64 * 1024 * 1024
_MAX_NS = 2**63 - 1  # the year 2262: SQLite keeps no larger number, but a file system does


@dataclass(frozen=True)
class Scan:
    """`unfit`: code and reason of a file that can never be admitted as it is; then `records` is 0. Else
    empty.

    `only_start`: the file is too large to be read, and `content_hash` is the hash of its first MiB.
    """

    content_hash: str
    size_bytes: int
    records: int
    mtime_ns: int
    unfit: str = ""
    only_start: bool = False


def scan(path: Path, safe: str, demands: Demands | None = None, multiline: bytes = b"") -> Scan:
    """One pass over `path`, decoded as Spark will decode a file named `safe`.

    Without `demands`, any text is accepted. `multiline`: the separator of csv records that may span lines.
    Raises Busy when the file is not at rest or not readable.
    """
    with opened(path) as file:
        before = os.fstat(file.fileno())
        known_ns = max(-_MAX_NS, min(before.st_mtime_ns, _MAX_NS))
        if demands and before.st_size > demands.file_bytes:
            result = _unread(file, before.st_size, known_ns, demands)
        else:
            result = _pass(file, safe, known_ns, _counter(lines.codec(safe), demands, multiline))
        after = os.fstat(file.fileno())
    if (result.size_bytes, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Busy("changed while it was read")
    return result


def content_hash(path: Path | str) -> str:
    """The sha256 of a regular file, as hex. Raises Busy when it cannot be read."""
    with opened(path) as file:
        digest = hashlib.sha256()
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
        return digest.hexdigest()


@contextmanager
def opened(path: Path | str) -> Iterator[FileIO]:
    """Opens a regular file for reading. It follows no link, and never waits for a fifo. Raises Busy when the
    file cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Busy(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Busy("not a regular file")
        with FileIO(fd, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(fd)


def check_no_writer(path: Path) -> None:
    """Raises Busy while a process has the file open for writing: then the kernel refuses a read lease.

    Where there are no leases (another user's file, a network disk), it raises nothing.
    """
    with opened(path) as file:
        if not hasattr(fcntl, "F_SETLEASE"):
            return
        fd = file.fileno()
        try:
            # If a writer came now, the kernel would send SIGIO, which ends a process. SIGURG is ignored.
            fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                raise Busy("a process has it open for writing") from error


def _unread(file: FileIO, size_bytes: int, mtime_ns: int, demands: Demands) -> Scan:
    start = hashlib.sha256(file.read(CHUNK_BYTES)).hexdigest()
    return Scan(start, size_bytes, 0, mtime_ns, _too_large(f"{size_bytes} bytes", demands), only_start=True)


def _too_large(what: str, demands: Demands) -> str:
    remedy = "split the file, or raise the limit"
    if demands.size_limit == "whole_file_bytes":
        remedy += ", which is for files that are read whole (multiline=True)"
    return f"too-large: {what}, the row allows {demands.size_limit}={demands.file_bytes}; {remedy}"


def _pass(file: FileIO, safe: str, mtime_ns: int, counter: _Counter) -> Scan:
    digest, size, reason = hashlib.sha256(), 0, names.unfit_name(safe)
    while data := file.read(CHUNK_BYTES):
        reason = reason or (_foreign(data, safe) if size == 0 else "") or counter.feed(data)
        digest.update(data)
        size += len(data)
    reason = reason or ("empty: no byte in it" if size == 0 else counter.end())
    return Scan(digest.hexdigest(), size, 0 if reason else counter.total, mtime_ns, reason)


def _foreign(start: bytes, safe: str) -> str:
    """Why compressed bytes are refused under a name that Spark reads as text; empty for others."""
    kinds = [kind for magic, kind in names.MAGIC if start.startswith(magic)]
    if not kinds or lines.codec(safe):
        return ""
    return f"packed: the content is {kinds[0]}, which the name does not say; name it so, or unpack it"


class _Counter:
    """Counts plain bytes, fed piece by piece.

    `feed` and `end` return why the file is unfit; empty if it is fit. `total`: the number of records; it is
    known after `end`.
    """

    def __init__(self, demands: Demands | None, multiline: bytes = b"") -> None:
        self.total = 0
        self._records = CsvRecordCounter(multiline) if multiline else LineCounter()
        line_by_line = demands if demands and demands.separator else None
        self._fields = line_by_line and SpanningFields(line_by_line.separator, line_by_line.line_bytes)
        self._demands = demands
        self._head = b""
        self._size_bytes = 0
        self._all_nul = True

    def feed(self, data: bytes) -> str:
        self._text(data)
        return ""

    def end(self) -> str:
        self.total = self._records.total()
        if self._demands is None:
            return ""
        spanning = self._fields.found() if self._fields else None
        longest = self._records.longest_bytes
        seen = content.Seen(self._head, self._size_bytes, self.total, longest, self._all_nul, spanning)
        return content.unfit(seen, self._demands)

    def _text(self, data: bytes) -> None:
        ends = self._records.feed(data)
        if self._fields:
            self._fields.feed(data, ends)
        self._size_bytes += len(data)
        if len(self._head) < content.HEAD_BYTES:
            self._head += data[: content.HEAD_BYTES - len(self._head)]
        self._all_nul = self._all_nul and not data.strip(b"\0")


class _Decoding(_Counter):
    """As _Counter, for compressed bytes: one or more members, each complete, and nothing after them."""

    def __init__(
        self,
        kind: str,
        start: Callable[[], zlib._Decompress | bz2.BZ2Decompressor],
        demands: Demands | None,
        multiline: bytes,
    ) -> None:
        super().__init__(demands, multiline)
        self._kind, self._start, self._packed_bytes = kind, start, 0
        self._member: zlib._Decompress | bz2.BZ2Decompressor | None = None

    def feed(self, data: bytes) -> str:
        try:
            for start in range(0, len(data), _PIECE_BYTES):
                self._piece(data[start : start + _PIECE_BYTES])
                if reason := self._swollen():
                    return reason
        except (zlib.error, OSError, EOFError, ValueError) as error:
            return f"damaged: the {self._kind} cannot be unpacked ({error}); deliver it again"
        return ""

    def end(self) -> str:
        if self._member:
            return f"truncated: the {self._kind} ends too early; deliver it again"
        return super().end()

    def _piece(self, data: bytes) -> None:
        self._packed_bytes += len(data)
        while data:
            self._member = member = self._member or self._start()
            for text in _unpacked(member, data):
                self._text(text)
                if self._swollen():
                    return
            data = member.unused_data
            if member.eof:
                self._member = None

    def _swollen(self) -> str:
        """Why unpacking stops here; empty if it goes on."""
        limits = self._demands
        if limits is None or self._size_bytes <= min(limits.file_bytes, _RATIO_FROM_BYTES):
            return ""
        if self._size_bytes > limits.file_bytes:
            return _too_large(f"more than {limits.file_bytes} bytes unpacked", limits)
        ratio = self._size_bytes // self._packed_bytes
        if ratio <= limits.unpack_ratio:
            return ""
        what = f"bomb: it unpacks to {ratio} times its size"
        return f"{what}, the row allows unpack_ratio={limits.unpack_ratio}; unpack it, or raise the limit"


def _unpacked(member: zlib._Decompress | bz2.BZ2Decompressor, data: bytes) -> Iterator[bytes]:
    """The text of `data`, in parts of bounded size."""
    if not isinstance(member, bz2.BZ2Decompressor):
        yield member.decompress(data)
        return
    yield member.decompress(data, CHUNK_BYTES)
    while not (member.eof or member.needs_input):
        yield member.decompress(b"", CHUNK_BYTES)


def _counter(codec: Codec, demands: Demands | None, multiline: bytes) -> _Counter:
    if codec == "gz":
        return _Decoding("gzip", lambda: zlib.decompressobj(_GZIP), demands, multiline)
    if codec == "bz2":
        return _Decoding("bzip2", bz2.BZ2Decompressor, demands, multiline)
    return _Counter(demands, multiline)
