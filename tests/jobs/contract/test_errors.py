"""What an operator reads can be typed as it stands."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from jobs.contract.disk import storage
from jobs.contract.errors import NotWritable, PlannedFileMissing


def test_ways_out_name_the_stream() -> None:
    error = PlannedFileMissing("7 bytes are gone", "en_proceso/f/0001")
    error.name_stream("facturas")
    assert "./caudal restore facturas --file NAME" in str(error)
    assert "STREAM" not in str(error.to_json())


def test_a_file_where_a_folder_belongs_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(NotWritable, match="not a directory") as caught, storage.disk_errors(tmp_path):
        storage.make_dirs(tmp_path / "runs" / "s" / "r")
    assert str(tmp_path / "runs") in caught.value.where
    assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == errno.ENOTDIR
