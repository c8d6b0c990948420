"""Names of incomplete deliveries: how copy tools, browsers, sync clients and editors call a file until it is
complete. Intake ignores such files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

# rsync, Nextcloud, Syncthing, ProFTPD, azcopy, NFS and most editors begin the name of an incomplete file with
# a dot.
HIDDEN = (".", "_")
# program -> its endings, in lower case; docs/files.md lists the same
BY_PROGRAM: dict[str, tuple[str, ...]] = {
    "many": (
        ".tmp",
        ".temp",
        ".temporary",
        ".part",
        ".partial",
        ".incomplete",
        ".inprogress",
        ".in_progress",
        ".in-progress",
        ".unfinished",
    ),
    "browsers": (".crdownload", ".download", ".downloading", ".opdownload", ".crswap"),
    "SFTP and FTP clients": (".filepart", ".uploading", ".transferring", ".lftp-pget-status"),
    "download managers and torrents": (
        ".aria2",
        ".!qb",
        ".!ut",
        ".!bt",
        ".bc!",
        ".az!",
        ".jc!",
        ".dtapart",
        ".fdmdownload",
        ".part.met",
        ".xltd",
        ".ytdl",
    ),
    "object stores and Hadoop": ("._copying_", ".gstmp", ".part.minio"),
    "sync clients": (".!sync", ".ffs_tmp"),
    "editors and office programs": ("~", ".swp", ".swo", ".swx", ".kate-swp"),
}
# These programs write under the final name and keep the state of the download in a file beside it.
STATE_ENDINGS = (".aria2", ".lftp-pget-status")
_ENDINGS = tuple(ending for endings in BY_PROGRAM.values() for ending in endings)
_STARTS = ("~$", "~lock.")  # Microsoft Office and LibreOffice: lock files of an open document
# macOS writes x.sb-1a2b3c4d-Qw3rTy beside x; emacs saves #x#
_FORMS = re.compile(r"\.sb-[0-9a-f]{8}-[0-9a-z]{6}\Z|\A#.*#\Z", re.DOTALL)
_HIDING = re.compile(r"\A(?:[._]|~\$|~lock\.|#(?=.*#\Z))+", re.DOTALL)
OURS = (".txt", ".gz", ".bz2")  # endings that Caudal adds, and those of packed files
_ENDING = re.compile(r"[^A-Za-z0-9/\x00][^/\x00]{1,98}")


def is_under_way(name: str, more: Sequence[str] = ()) -> bool:
    """Whether a file of this name is still being delivered, according to the list above and to `more`, the
    row's own endings."""
    lower, own = name.lower(), tuple(ending.lower() for ending in more)
    return lower.startswith(_STARTS) or lower.endswith((*_ENDINGS, *own)) or bool(_FORMS.search(lower))


def is_ignored(name: str, more: Sequence[str] = ()) -> bool:
    """Whether intake ignores a file of this name, because it is hidden or still being delivered."""
    return name.startswith(HIDDEN) or is_under_way(name, more)


def final_name(name: str, more: Sequence[str] = ()) -> str:
    """`name`, or a similar one that intake does not ignore: a beginning that hides the file is removed, and
    after an ending of the list another one is added."""
    shown = _HIDING.sub("", name) or "file"
    if not is_under_way(shown, more):
        return shown
    packed = PurePath(PurePath(shown).stem).suffix.lower()
    return f"{shown}{packed if packed in OURS else OURS[0]}"


def fault(more: object, form: str) -> str:
    """Why a row cannot have these additional endings; empty when it can."""
    if not isinstance(more, tuple) or not all(isinstance(ending, str) for ending in more):
        return f'under_way={more!r} is not a tuple of endings, such as (".lock",)'
    for ending in more:
        if not _ENDING.fullmatch(ending):
            return f"under_way={ending[:40]!r}: an ending is a punctuation mark and a text, such as .lock"
        if ending.lower() in (*OURS, f".{form}"):
            return f"under_way={ending!r} would leave whole deliveries of this stream unread"
    return ""
