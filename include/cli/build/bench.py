"""bench: compares Caudal with the plain job on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from include.cli.terminal.console import json_line, say, table


def command(
    invoices: Annotated[
        int, typer.Option(min=1, max=5_000_000, help="Invoices in the one file that is read.")
    ] = 1000,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Runs of each variant; the median counts.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Measure a scheduled run of INVOICES from files, and the same job written with Spark's defaults. Compare
    the ratios, not the seconds."""
    from bench import facturas

    results = facturas.measure(invoices, rounds, say)
    base = results[0].seconds
    if as_json:
        json_line(
            {"invoices": invoices, "results": [asdict(r) | {"ratio": r.seconds / base} for r in results]}
        )
        return
    rows = [(r.way, f"{r.seconds:.2f} s", f"{r.seconds / base:.2f}", f"{r.rows:,}") for r in results]
    table(("way", "median", "ratio", "rows"), rows, title=f"{invoices:,} invoices, {rounds} rounds")
