"""Sidecars: files that a program writes beside other files. By their name they hold no records, whatever is in them."""

from __future__ import annotations

import re

# Also as the safe names that cuarentena gives them, from where they may come back: `_` for what is no plain character, cut at 100.
# a stream of Windows or macOS beside a file, as WSL, Samba and unpackers write it: the colon as it is, as _, as U+F03A, or lost
_BESIDE = r"(?:(?:Zone|.{80})\.Identifier|(?:[:_\uf03a](?:SmartScreen|AFP_AfpInfo|AFP_Resource|com\.dropbox\.attr(?:s|ibutes))))"
_SIDECARS = tuple((re.compile(form, re.IGNORECASE | re.DOTALL), what) for form, what in (
    (rf"{_BESIDE}(?:[:_\uf03a][$_]?DATA)?\Z", "what a system notes about a file, where it came from as a rule"),
    (r"\A(?:desktop\.ini|(?:eh)?thumbs(?:_vista)?\.db(?:[:_\uf03a]encryptable)?|icon[\r_])\Z", "how a folder is to be shown"),
    (r".\.(?:md5|sha1|sha224|sha256|sha384|sha512|sfv)\Z", "the checksum of another file"),
    (r".\.(?:asc|sig|p7s)\Z", "the signature of another file"),
))  # fmt: skip


def reason(name: str) -> str:
    """Why a file of this name holds no records, whatever is in it: a program has written it beside another file. Empty for any other."""
    what = next((what for form, what in _SIDECARS if form.search(name)), "")
    return f"sidecar: {what}; no data" if what else ""
