"""What a row may say of how its source spells dates and times."""

from __future__ import annotations

import pytest

from jobs.contract.errors import BrokenStream
from jobs.contract.stream import Files, Topic
from jobs.contract.stream.value_formats import unfit_date, unfit_timestamp, unfit_zone


@pytest.mark.parametrize(
    "pattern", ["dd/MM/yyyy", "d.M.yy", "yyyyMMdd", "yyyy'T'MM-dd", "dd 'de' MM 'de' yyyy", "''dd-MM-yyyy"]
)
def test_patterns_of_dates(pattern: str) -> None:
    assert unfit_date(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "dd/MM",
        "yyyy",
        "dd/mm/yyyy",
        "dd/MMM/yyyy",
        "dd/MM/yyyyy",
        "dd/MM/yyyy HH",
        "dd/MM/yyyy dd",
        "yyyy-MM-dd'T",
        "[dd/]MM/yyyy",
        "",
    ],
)
def test_patterns_that_read_no_date(pattern: str) -> None:
    assert unfit_date(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "dd/MM/yyyy HH:mm",
        "dd/MM/yyyy",
        "yyyyMMddHHmmss",
        "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "M/d/yyyy h:mm a",
        "dd/MM/yyyy H:m:s.S",
    ],
)
def test_patterns_of_times(pattern: str) -> None:
    assert unfit_timestamp(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "HH:mm",
        "dd/MM/yyyy hh:mm",
        "dd/MM/yyyy HH:mm a",
        "dd/MM/yyyy HH:mm:ss.SSSSSSSSS",
        "dd/MM/yyyy VV",
        "dd/MM/yyyy mm",
        "dd/MM/yyyy HH:ss",
        "dd/MM/yyyy HH:SSS",
        "dd/MM/yyyy hh:HH a",
    ],
)
def test_patterns_that_read_no_time(pattern: str) -> None:
    assert unfit_timestamp(pattern)


def test_zones() -> None:
    assert [unfit_zone(name) for name in ("UTC", "Europe/Madrid")] == ["", ""]
    assert all(unfit_zone(name) for name in ("Europe", "Europa/Madrid", "", "../UTC", "/etc/passwd"))


@pytest.mark.parametrize(
    ("form", "options", "why"),
    [
        ("json", {"decimal": ","}, "decimal is for csv"),
        ("csv", {"decimal": "'"}, "is not . or ,"),
        ("csv", {"date_format": "dd/mm/yyyy"}, "does not read a year"),
        ("json", {"timestamp_format": "HH:mm"}, "does not read a date"),
        ("csv", {"timezone": "Madrid"}, "is not a time zone"),
    ],
)
def test_a_row_with_a_spelling_that_cannot_be_read_is_broken(
    form: str, options: dict[str, str], why: str
) -> None:
    for end in (Files, lambda form, **given: Topic("t", form, **given)):
        with pytest.raises(BrokenStream, match=why):
            end(form, **options)


@pytest.mark.parametrize(
    "options", [{"columns": "by-position"}, {"missing_columns": "null"}, {"extra_columns": "ignore"}]
)
def test_what_is_done_with_columns_needs_a_header(options: dict[str, str]) -> None:
    assert Files("csv", **options)  # type: ignore[arg-type]
    for other in ({"format": "json"}, {"format": "csv", "header": False}):
        with pytest.raises(BrokenStream, match="needs csv files with a header"):
            Files(**other, **options)  # type: ignore[arg-type]
