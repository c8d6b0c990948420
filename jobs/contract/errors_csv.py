"""Errors of what is written as csv. Part of the tree in errors.py."""

from __future__ import annotations

from jobs.contract.errors import DataError


class NoCsvForm(DataError):
    """A row has no csv form: its only column is null. A line that holds nothing is no row to most readers. Nothing was published."""

    code = "no-csv-form"
    cli = "leave such rows out in the transform, or put a text in their place; or write json or parquet; then ./caudal run STREAM"
