"""Recognizes sidecars: files that a program writes beside other files. They never hold records."""

from __future__ import annotations

import re

# Names as delivered, and the safe names that cuarentena gives (`_` for other characters, at most 100): a
# refused file may be put back. WSL, Samba and unpackers write an alternate data stream of Windows or macOS as
# a file; its colon stays, becomes _ or U+F03A, or is lost.
_COLON = r"[:_\uf03a]"
_STREAMS = r"(?:SmartScreen|AFP_AfpInfo|AFP_Resource|com\.dropbox\.attr(?:s|ibutes))"
_SIDECARS = tuple(
    (re.compile(form, re.IGNORECASE | re.DOTALL), what)
    for form, what in (
        (
            rf"(?:(?:Zone|.{{80}})\.Identifier|{_COLON}{_STREAMS})(?:{_COLON}[$_]?DATA)?\Z",
            "what a system notes about a file",
        ),
        (
            rf"\A(?:desktop\.ini|(?:eh)?thumbs(?:_vista)?\.db(?:{_COLON}encryptable)?|icon[\r_])\Z",
            "how a folder is shown",
        ),
        (r".\.(?:md5|sha1|sha224|sha256|sha384|sha512|sfv)\Z", "the checksum of another file"),
        (r".\.(?:asc|sig|p7s)\Z", "the signature of another file"),
    )
)


def reason(name: str) -> str:
    """Why a file of this name holds no records; empty if it is not a sidecar."""
    what = next((what for form, what in _SIDECARS if form.search(name)), "")
    return f"sidecar: {what}; no data" if what else ""
