"""docs: writes the generated pages."""

from __future__ import annotations

from typing import Annotated

import typer

from include import settings
from include.cli.build import _pages as pages
from include.cli.terminal.console import json_line, say, step
from jobs.contract.errors import ExitCode


def command(
    check: Annotated[
        bool, typer.Option("--check", help="Only compare; exit 1 if a page is out of date.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> int:
    """Write the pages that are generated from the code: docs/errors.md, docs/DAGS.md, docs/combinations.md,
    docs/cli.md, and the help that needs no installation (include/setup/help.txt)."""
    root = settings.load().root
    with step("Generated pages"):
        rendered = pages.plan(root)
    differ = [str(page.path) for page in rendered if page.differs]
    if not check:
        pages.apply(root, rendered)
    for path in differ:
        say(f"{path} is out of date  -> ./caudal docs" if check else f"written {path}")
    if not differ:
        say("every page is up to date")
    if as_json:
        json_line(
            {
                "pages": [str(page.path) for page in rendered],
                "differ": differ,
                "written": [] if check else differ,
            }
        )
    return int(ExitCode.FAILED if check and differ else ExitCode.DONE)
