"""Errors of services that answer and are of no use; see errors.py."""

from __future__ import annotations

from jobs.contract.errors import BrokerDown, ServiceError


class NoTaskRuns(ServiceError):
    """All services answer, yet Airflow did not get one small task done, so no stream would run either. The message says why."""

    code, transient = "no-task-runs", False
    cli = "mend what is named here, then ./caudal down and ./caudal up; ./caudal doctor --canary tries again"
    ui = "The log of caudal_canary, if it has one, ends with the reason"


class BrokerUnreachable(BrokerDown):
    """The broker answers at the bootstrap address, but sends its clients to addresses that this machine cannot reach, or does not know."""

    code = "broker-unreachable"
    cli = "set advertised.listeners on the broker to an address that can be reached from here, or make the name known here (DNS, /etc/hosts)"
