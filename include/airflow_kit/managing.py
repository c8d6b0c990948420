"""What the DAG manage_stream does: a form becomes a plan, and the plan that a person has seen, and no other, is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from airflow.sdk import Param

from include import streams
from include.airflow_kit import tables
from include.airflow_kit.params import boolean, choice, integer
from include.housekeeping import apply as housekeeping
from include.housekeeping import sweep
from include.housekeeping.generations import purge, reset, retire, rewind, rollover, undo
from include.housekeeping.plan import Plan
from include.settings import Settings
from jobs.contract.errors import Refused, UsageError
from jobs.contract.stream import Stream

NO_BATCH, NO_GENERATION = -2, 0
_MOST = 1_000_000_000
_DEFAULTS = {
    "to_batch": NO_BATCH,
    "generation": NO_GENERATION,
    "drop_state": False,
    "accept_loss": False,
    "allow_repeats": False,
}
_TAKES: dict[str, tuple[str, ...]] = {
    "rollover": ("drop_state", "accept_loss"),
    "reset": ("allow_repeats",),
    "rewind": ("to_batch", "allow_repeats"),
    "retire": ("generation",),
    "undo": (),
    "purge": (),
}
_NEEDS = {"rewind": "to_batch", "retire": "generation"}


def params() -> dict[str, Param]:
    names = sorted(streams.collect()[0]) or ["none"]
    return {
        "stream": choice(
            names[0],
            title="Stream",
            values=names,
            origin="a stream of the registry",
            description="Which stream.",
        ),
        "verb": choice(
            "rollover",
            title="What to do",
            values=list(_TAKES),
            origin="rollover, reset, rewind, retire, undo or purge",
            description="rollover: a new checkpoint that goes on where the old one ended, the output stays. reset: from the beginning, all output is "
            "retired. rewind: the batches after one are taken back. retire: an old generation leaves readers' sight. undo: takes back the newest "
            "rollover, reset or retirement. purge: removes for good what is past its retention.",
        ),
        "to_batch": integer(
            NO_BATCH,
            title="Last batch that stays (rewind)",
            minimum=NO_BATCH,
            maximum=_MOST,
            description="For rewind alone, which needs it: the last batch that stays; -1 takes back all of them. -2: not chosen.",
        ),
        "generation": integer(
            NO_GENERATION,
            title="Generation (retire)",
            minimum=NO_GENERATION,
            maximum=_MOST,
            description="For retire alone, which needs it: a generation that was rolled over. 0: not chosen.",
        ),
        "drop_state": boolean(
            False, title="Drop state (rollover)", description="A stateful stream: begin without its state."
        ),
        "accept_loss": boolean(
            False,
            title="Accept loss (rollover)",
            description="Go on behind Kafka offsets that are gone; the plan names each.",
        ),
        "allow_repeats": boolean(
            False,
            title="Allow repeats (reset, rewind)",
            description="A stream that writes to a topic: its messages are sent once more.",
        ),
    }


def plan(settings: Settings, form: Mapping[str, Any], now: datetime) -> Plan:
    """Read-only. Raises UsageError for a field that the verb does not take or lacks, else as the verb's planner."""
    verb, stream = form["verb"], streams.get(form["stream"])
    for name, default in _DEFAULTS.items():
        if form[name] != default and name not in _TAKES[verb]:
            raise UsageError(
                f"{name} says nothing for {verb}",
                name,
                ui="Leave this field as it was, or choose the verb it is for",
            )
    needed = _NEEDS.get(verb, "")
    if needed and form[needed] == _DEFAULTS[needed]:
        raise UsageError(
            f"{verb} needs {needed}",
            needed,
            ui="Fill in the field; ./caudal generation list shows what there is",
        )
    return _planned(settings, stream, form, now)


def _planned(settings: Settings, stream: Stream, form: Mapping[str, Any], now: datetime) -> Plan:
    match form["verb"]:
        case "rollover":
            return rollover.plan(
                settings, stream, now, drop_state=form["drop_state"], accept_loss=form["accept_loss"]
            )
        case "reset":
            return reset.plan(settings, stream, now, allow_repeats=form["allow_repeats"])
        case "rewind":
            return rewind.plan(
                settings, stream, now, to_batch=form["to_batch"], allow_repeats=form["allow_repeats"]
            )
        case "retire":
            return retire.plan(settings, stream, now, generation=form["generation"])
        case "undo":
            return undo.plan(settings, stream.name, now)
        case _:
            return purge.plan(settings, stream.name, stream.upkeep, now)


def proposal(found: Plan) -> dict[str, Any]:
    """What the approval page shows and `apply` compares: subject, body, digest, the plan's own values."""
    size = f"{len(found.steps):,} step{'' if len(found.steps) == 1 else 's'}, {found.size_bytes:,} bytes"
    body = f"{tables.markdown(found)}\n\nApprove does exactly this, or nothing when the stream has moved on by then. Reject changes nothing."
    return {
        "subject": f"{found.kind} of {found.stream}: {size}",
        "body": body,
        "digest": found.digest,
        "plan": found.to_json(),
    }


def apply(settings: Settings, form: Mapping[str, Any], approved: str, now: datetime) -> Plan:
    """Does the plan with the digest `approved`. Raises as `carry_out`."""
    return carry_out(settings, streams.get(form["stream"]), partial(plan, settings, form, now), approved, now)


def carry_out(
    settings: Settings, stream: Stream, again: Callable[[], Plan], approved: str, now: datetime
) -> Plan:
    """Plans `again` and does it if its digest is `approved`; waits for a run under way as long as the stream's own task would.

    Raises Refused when it would be another plan by now, LeaseHeld, else as the planner and apply.
    """
    wait_s = stream.lease_wait_s
    sweep.waited(partial(sweep.finish_cut, settings, stream.name, now), wait_s)
    found = again()
    if found.digest != approved:
        what = "the stream has moved on since this was planned, so the plan would be another one; nothing was changed"
        raise Refused(
            what,
            found.stream,
            cli="plan again, then --apply",
            ui="Trigger this DAG again and look at the new plan",
        )
    sweep.waited(partial(housekeeping.apply, settings, found, again, now), wait_s)
    return found
