"""Java's properties text: the cases of java.util.Properties.load, checked against what that class gives
(noted beside each)."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.contract.errors import ConfigError
from jobs.contract.kafka import properties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# a\n! b\n  # c\n\n", {}),
        ("a=1\nb:2\nc 3\nd\n", {"a": "1", "b": "2", "c": "3", "d": ""}),
        ("a = 1 \r\nb\t:\t2\r", {"a": "1 ", "b": "2"}),  # blanks behind a value belong to it
        ("a=b=c:d\n", {"a": "b=c:d"}),
        ("a=one \\\n   two\nb=3", {"a": "one two", "b": "3"}),
        ("a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),  # an even number of backslashes ends no line
        ("a=x\\ty\\u00e9\\q\n", {"a": "x\tyéq"}),
        ("a\\=b=1\nc\\ d=2", {"a=b": "1", "c d": "2"}),
        ("a=1\\\n#no comment", {"a": "1#no comment"}),
    ],
)
def test_text_is_read_as_java_reads_it(text: str, expected: dict[str, str]) -> None:
    assert properties.parse(text) == expected


def test_an_unreadable_file_is_named_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.write_bytes(b"a=s3cr3t\xff")
    with pytest.raises(ConfigError, match=r"unreadable Kafka properties \(UnicodeDecodeError\)") as caught:
        properties.read(path)
    assert "s3cr3t" not in str(caught.value)
