"""The work of the DAG manage_stream: a form becomes a plan, a person sees it, and exactly that plan is
carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

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

NO_BATCH, NO_GENERATION = -2, 0  # not chosen: -1 is a batch that one may name, and generations begin at 1
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
            description="rollover: begins a new checkpoint where the old one ended, and keeps the output. "
            "reset: starts from the beginning and retires all output. rewind: takes back the batches after "
            "one. retire: hides an old generation from readers. undo: takes back the newest rollover, reset "
            "or retirement. purge: deletes for good what is past its retention.",
        ),
        "to_batch": integer(
            NO_BATCH,
            title="Last batch that stays (rewind)",
            minimum=NO_BATCH,
            maximum=_MOST,
            description="Only for rewind, which needs it: the last batch that stays. -1 takes back all "
            "batches; -2 means not chosen.",
        ),
        "generation": integer(
            NO_GENERATION,
            title="Generation (retire)",
            minimum=NO_GENERATION,
            maximum=_MOST,
            description="Only for retire, which needs it: a generation that was rolled over. 0 means not "
            "chosen.",
        ),
        **_switches(),
    }


def _switches() -> dict[str, Param]:
    return {
        "drop_state": boolean(
            False,
            title="Drop state (rollover)",
            description="For a stateful stream: begin without its state.",
        ),
        "accept_loss": boolean(
            False,
            title="Accept loss (rollover)",
            description="Go on after Kafka offsets that are gone; the plan names each of them.",
        ),
        "allow_repeats": boolean(
            False,
            title="Allow repeats (reset, rewind)",
            description="For a stream that writes to a topic: its messages are sent again.",
        ),
    }


def plan(settings: Settings, form: Mapping[str, Any], now: datetime) -> Plan:
    """Read-only. Raises UsageError for a field that the verb does not take or does not have, else as the
    verb's planner."""
    verb, stream = form["verb"], streams.get(form["stream"])
    for name, default in _DEFAULTS.items():
        if form[name] != default and name not in _TAKES[verb]:
            remedy = "Leave this field as it was, or choose the verb it is for"
            raise UsageError(f"{verb} does not use {name}", name, ui=remedy)
    needed = _NEEDS.get(verb, "")
    if needed and form[needed] == _DEFAULTS[needed]:
        remedy = "Fill in the field; ./caudal generation list shows what there is"
        raise UsageError(f"{verb} needs {needed}", needed, ui=remedy)
    return _planned(settings, stream, form, now)


def _planned(settings: Settings, stream: Stream, form: Mapping[str, Any], now: datetime) -> Plan:
    options = {name: form[name] for name in _TAKES[form["verb"]]}
    match form["verb"]:
        case "rollover":
            return rollover.plan(settings, stream, now, **options)
        case "reset":
            return reset.plan(settings, stream, now, **options)
        case "rewind":
            return rewind.plan(settings, stream, now, **options)
        case "retire":
            return retire.plan(settings, stream, now, **options)
        case "undo":
            return undo.plan(settings, stream.name, now)
        case _:
            return purge.plan(settings, stream.name, stream.upkeep, now)


def propose(proposed: Plan, nothing: str) -> dict[str, Any]:
    """The end of a task `plan`: logs the steps, and returns `proposal`. Raises AirflowSkipException with the
    text `nothing` if there are none."""
    tables.tell(tables.steps(proposed))
    if not proposed.steps:
        raise AirflowSkipException(nothing)
    return proposal(proposed)


def approval() -> ApprovalOperator:
    """The task between `plan` and `apply`: shows the proposal, and waits for a person."""
    return ApprovalOperator(
        task_id="approve",
        subject="{{ ti.xcom_pull(task_ids='plan')['subject'] }}",
        body="{{ ti.xcom_pull(task_ids='plan')['body'] }}",
        response_timeout=timedelta(hours=2),
        retries=0,
    )


def proposal(proposed: Plan) -> dict[str, Any]:
    """What the approval page shows: subject, body and the plan's values, and the digest by which `apply`
    knows the plan."""
    steps = f"{len(proposed.steps):,} step{'' if len(proposed.steps) == 1 else 's'}"
    approve = "Approve does exactly this, or nothing if the stream has moved on. Reject changes nothing."
    return {
        "subject": f"{proposed.kind} of {proposed.stream}: {steps}, {proposed.size_bytes:,} bytes",
        "body": f"{tables.markdown(proposed)}\n\n{approve}",
        "digest": proposed.digest,
        "plan": proposed.to_json(),
    }


def apply(settings: Settings, form: Mapping[str, Any], approved: str, now: datetime) -> Plan:
    """Carries out the plan with the digest `approved`. Raises as `carry_out`."""
    return carry_out(settings, streams.get(form["stream"]), partial(plan, settings, form, now), approved, now)


def carry_out(
    settings: Settings, stream: Stream, again: Callable[[], Plan], approved: str, now: datetime
) -> Plan:
    """Plans `again`, and carries the plan out if its digest is `approved`. Waits for a run under way as long
    as the stream's own task would.

    Raises Refused when the plan would be another one by now, LeaseHeld, else as the planner and apply.
    """
    wait_s = stream.lease_wait_s
    # first, because no operation may begin while another one is cut short
    sweep.waited(partial(sweep.finish_cut, settings, stream.name, now), wait_s)
    proposed = again()
    if proposed.digest != approved:
        moved = "the stream has moved on since this was planned, so the plan would be another one"
        remedy = "Trigger this DAG again and look at the new plan"
        raise Refused(
            f"{moved}; nothing was changed", proposed.stream, cli="plan again, then --apply", ui=remedy
        )
    sweep.waited(partial(housekeeping.apply, settings, proposed, again, now), wait_s)
    return proposed
