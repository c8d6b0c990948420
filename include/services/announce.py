"""Tells a running Airflow that the registry has changed, so that a new stream's DAG shows at once."""

from __future__ import annotations

from include import streams
from include.services import ports, records
from include.services.airflow import server
from include.settings import Settings
from jobs.contract.errors import CaudalError


def stream(settings: Settings) -> str:
    """Says where the new DAG will appear. It is no error if Airflow does not run or answer: it reads the
    registry itself later."""
    chosen = ports.remembered(settings)
    if chosen is None or records.supervisor(settings.home) is None:
        return "./caudal up, then its DAG is listed"
    known = sorted(streams.collect()[0])
    try:
        if known:
            server.client(settings, chosen).reparse(known[0])
    except CaudalError:
        return f"{server.url(chosen)} lists its DAG within half a minute"
    return f"{server.url(chosen)} lists its DAG within seconds"
