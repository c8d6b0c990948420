"""docs/folders.md explains every folder of data, and only those."""

from __future__ import annotations

import re
from pathlib import Path

from jobs.contract.disk.layout import FOLDERS
from tests.docs.tables import rows, section


def test_every_folder_of_data_is_explained(pages: dict[Path, str]) -> None:
    text = section(pages[Path("docs/folders.md")], "Folders of data")
    assert {
        re.split(r"[/`]", name)[0] for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])
    } == set(FOLDERS)
