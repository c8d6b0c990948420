"""topics create|list: the topics of the registry and of the broker."""

from __future__ import annotations

from typing import Annotated

import typer

from include import settings, streams
from include.cli.terminal.console import json_line, say, step, table
from include.kafka import offsets, topics

APP = typer.Typer(help="Make the registry's topics; list the broker's.")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@APP.command()
def create(as_json: AsJson = False) -> None:
    """Make the topics that the registered streams declare and the broker lacks. Existing topics stay as they
    are; differences are reported."""
    plan = topics.plan(settings.load(), streams.collect()[0].values())
    done = topics.apply(plan)
    existing = sorted({*plan.as_declared, *done.met})
    if done.created:
        say(f"made: {', '.join(done.created)}")
    if existing:
        say(f"already there: {', '.join(existing)}")
    for difference in plan.differences:
        say(f"differs, not changed: {difference}")
    if as_json:
        json_line(
            {
                "created": done.created,
                "existing": existing,
                "differences": [str(d) for d in plan.differences],
            }
        )


@APP.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List the broker's topics with their partitions, their records, and the streams that read or
    write them."""
    config = settings.load()
    known = list(streams.collect()[0].values())
    users = {
        topic.name: [s.name for s in known if topic in (*s.topics, s.tokens)]
        for topic in topics.declared(known)
    }
    with step("asking the broker", aside=True):
        rows = [
            {
                "topic": t.name,
                "partitions": t.partitions,
                "records": offsets.positions(config, t.name).records,
                "topic_id": t.topic_id,
                "streams": users.get(t.name, []),
            }
            for t in topics.list_topics(config)
        ]
    table(
        ("topic", "partitions", "records", "streams"),
        [
            (r["topic"], r["partitions"], r["records"], ", ".join(map(str, users.get(str(r["topic"]), []))))
            for r in rows
        ],
        prose="streams",
    )
    missing = sorted(users.keys() - {str(r["topic"]) for r in rows})
    if missing:
        say(f"declared, but not on the broker: {', '.join(missing)}  -> ./caudal topics create")
    if as_json:
        json_line({"topics": rows, "missing": missing})
