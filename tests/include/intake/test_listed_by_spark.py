"""Spark's listing never skips an admitted name, whatever the delivery was called, and the codec stays the
same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.intake.names import safe_name
from jobs.contract.disk import ledger
from jobs.contract.text.lines import codec
from tests.include.intake.test_names import FILE_NAMES

HASH = "0123456789abcdef" * 4
ENDS = (
    "._COPYING_",
    "._COPYING_.",
    "_COPYING_",
    "._copying_",
    ".gz._COPYING_",
    "._COPYING_.gz",
    ".",
    "_",
    "-",
    "._",
    "=",
    "~",
    ".json",
    ".bz2",
)
STARTS = ("", ".", "_", "_a=1", "=", "_metadata", "_common_metadata", "._")
ODD = st.builds("".join, st.tuples(st.sampled_from(STARTS), FILE_NAMES, st.sampled_from(ENDS)))


def skipped(name: str) -> bool:
    """HadoopFSUtils.shouldFilterOutPathName of Spark 4, word for word."""
    exclude = (
        (name.startswith("_") and "=" not in name) or name.startswith(".") or name.endswith("._COPYING_")
    )
    include = name.startswith(("_common_metadata", "_metadata"))
    return exclude and not include


@given(st.one_of(FILE_NAMES, ODD), st.integers(0, 10**12 - 1))
def test_whatever_a_delivery_is_called_its_admitted_name_is_listed(delivered: str, sequence: int) -> None:
    safe = safe_name(delivered)
    name = ledger.admitted_name(sequence, HASH, safe)
    assert not skipped(name) and name[0].isdigit() and name[-1].isalnum()
    assert codec(name) == codec(safe)
    assert (parts := ledger.parse_name(name)) is not None and (parts.sequence, parts.hash_start) == (
        sequence,
        HASH[:16],
    )
    assert ledger.admitted_name(sequence, HASH, parts.safe) == name == ledger.mended(name)
    assert parts.safe == safe or not safe[-1].isalnum()


@given(st.one_of(FILE_NAMES, ODD).map(safe_name))
def test_of_old_names_those_that_spark_skips_are_mended_and_no_other(safe: str) -> None:
    """Another may stand in a checkpoint already: under a new name its records would be read once more."""
    old = f"000000000007-{HASH[:16]}-{safe}"
    assert ledger.parse_name(old) is not None
    assert (ledger.mended(old) != old) == skipped(old)
    assert not skipped(ledger.mended(old))


@pytest.mark.spark
def test_spark_itself_agrees(spark: Any) -> None:
    filter_ = spark._jvm.org.apache.spark.util.HadoopFSUtils.shouldFilterOutPathName
    raw = [f"{start}lote{end}" for start in STARTS for end in ENDS]
    old = [f"000000000007-{HASH[:16]}-{safe_name(name)}" for name in raw]
    assert [skipped(name) for name in raw + old] == [filter_(name) for name in raw + old], (
        "the re-statement is not Spark's filter"
    )
    assert any(filter_(name) for name in old), "none of the names is one that Spark skips"
    assert not any(filter_(ledger.admitted_name(7, HASH, safe_name(name))) for name in raw)
    assert not any(filter_(ledger.mended(name)) for name in old)
