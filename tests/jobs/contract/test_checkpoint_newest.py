"""What each run asks of the source log, the newest files among all ever seen, is answered as if every line
had been read."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jobs.contract.commit import checkpoint

PATHS = st.text(st.sampled_from('ab/"batchId":7}{,\\ ñ'), min_size=1, max_size=30)
ENTRIES = st.lists(st.tuples(PATHS, st.integers(0, 30)), max_size=12)
FORMS = st.sampled_from(["spark", "spaced", "reordered", "more"])


def line(path: str, offset: int, form: str) -> str:
    values = {
        "path": f"file:///{path.replace('%', '').replace('?', '').replace('#', '')}",
        "timestamp": 1,
        "batchId": offset,
    }
    if form == "reordered":
        values = dict(reversed(values.items()))
    if form == "more":
        values |= {"action": "add"}
    return (
        json.dumps(values)
        if form == "spaced"
        else json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    )


@given(ENTRIES, FORMS, st.integers(-1, 31))
def test_leaving_old_lines_unread_changes_no_answer(
    entries: list[tuple[str, int]], form: str, above: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "sources" / "0"
        log.mkdir(parents=True)
        (log / "9.compact").write_text(
            "\n".join(["v1", *(line(path, offset, form) for path, offset in entries)]), encoding="utf-8"
        )
        everything = list(checkpoint.all_entries(Path(folder)))
        assert len(everything) == len(entries)
        assert list(checkpoint.all_entries(Path(folder), above)) == [
            entry for entry in everything if entry.log_offset > above
        ]
