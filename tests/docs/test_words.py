"""No file names a host of a package registry, or a path of the machine on which it was written."""

from __future__ import annotations

import re
from pathlib import Path

# in pieces, so that this file does not find itself
HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "repo1.mav" + "en",
    "repo.mav" + "en",
    "mav" + "en.org",
    "mav" + "en.google",
)
PLACES = ("wo" + "rk", "ro" + "ot", "tmp" + "/w")
PATHS = [rf"(?<![\w}}\])./\\*-])/{place}(?![\w-])" for place in PLACES]
FORBIDDEN = re.compile("|".join([*map(re.escape, HOSTS), *PATHS, r"(?<![\w-])" + "sha" + "red/"]))


def test_the_pattern_finds_what_it_must_and_no_more() -> None:
    bad = [
        "see https://" + "py" + "pi.org/x",
        "cd /" + "work/main",
        '"/' + 'root"',
        "read sha" + "red/FACTS",
        " /tmp" + "/w/env",
    ]
    good = [
        "settings.root/jobs",
        "{root}/jobs",
        "path/work",
        "/workers",
        "shared",
        "unshared/x",
        "/tmp/words",
        "a/root/b",
    ]
    assert [text for text in bad if not FORBIDDEN.search(text)] == []
    assert [text for text in good if FORBIDDEN.search(text)] == []


def test_no_file_names_a_registry_host_or_a_path_of_this_machine(texts: dict[Path, str]) -> None:
    found = [
        f"{path}:{n}: {line[:120]}"
        for path, text in texts.items()
        for n, line in enumerate(text.splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    assert found == []
