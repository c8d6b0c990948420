"""What stops a Spark driver before it has done anything, or without a word."""

from __future__ import annotations

from jobs.contract.errors import CaudalError, ConfigError, ExitCode


class DriverDied(CaudalError):
    """Spark's driver ended without a report of its own: killed (by the system when memory ran out, by a person), or it could not begin. Its report
    was finished by whoever noticed, with the last lines of its output; the batches it published stand, and the next run reports them."""

    code, exit_code, transient = "driver-died", ExitCode.BUG, True
    cli = "read the named driver.log and the end of its output in report.json; ./caudal run STREAM goes on where it was"
    ui = "The task is tried again; its log has the last lines of the driver"


class MachineUnfit(ConfigError):
    """This machine, or the user's limits on it, do not let a Spark driver work; the message names what is too little. Spark was not started."""

    code = "machine"
    cli = "raise the limit that is named here"
