"""Errors of streams that read what another one has published, and of state between batches. Part of the tree in errors.py."""

from __future__ import annotations

from jobs.contract.errors import DataError


class UpstreamTakenBack(DataError):
    """Rows that this stream has read are no longer published: the stream they come from was reset or rewound, and publishes their records again."""

    code = "upstream-taken-back"
    cli = "./caudal generation reset STREAM reads from the beginning what is published now; or undo at the other stream"
    ui = "Trigger manage_stream with verb reset"


class StateUnusable(DataError):
    """The state of a stateful stream cannot be read, or is that of another transform. Nothing was published from it."""

    code = "state-unusable"
    cli = "./caudal generation reset STREAM makes it anew from what is published; or take back the change of the transform"
    ui = "Trigger manage_stream with verb reset"
