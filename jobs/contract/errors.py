"""The error tree. Every foreseen failure is one class: a stable code, an exit code, and two ways out (Airflow's UI, the command line).

`docs/errors.md` is generated from this tree, so a class docstring is what an operator reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """Process exit codes, after BSD's sysexits."""

    DONE = 0
    FAILED = 1  # a check (doctor, test) found something wrong
    USAGE = 64
    DATA = 65
    SERVICE = 69
    BUG = 70
    HELD = 75
    CONFIG = 78


class CaudalError(Exception):
    """A failure that was foreseen. `what` says what happened, `where` names the file, stream, topic or variable."""

    code: ClassVar[str] = "caudal"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    transient: ClassVar[bool] = (
        False  # True: the same call may succeed later, so an Airflow retry means something
    )
    ui: ClassVar[str] = ""
    cli: ClassVar[str] = ""

    def __init__(self, what: str, where: object = "", *, cli: str = "", ui: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = str(where)
        self.way_cli = cli or self.cli
        self.way_ui = ui or self.ui

    def __str__(self) -> str:
        """One line: code, what, where, what to do next."""
        where = f" [{self.where}]" if self.where else ""
        way = f" -> {self.way_cli}" if self.way_cli else ""
        return " ".join(f"{self.code}: {self.what}{where}{way}".split())

    def name_stream(self, stream: str) -> None:
        """The ways out name `stream` where they said STREAM: they can be copied as they stand."""
        self.way_cli, self.way_ui = (way.replace("STREAM", stream) for way in (self.way_cli, self.way_ui))

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "exit_code": int(self.exit_code),
            "what": self.what,
            "where": self.where,
            "cli": self.way_cli,
            "ui": self.way_ui,
        }


class UsageError(CaudalError):
    """The words of the call are off: an unknown stream, a bad option, a file that is not there."""

    code, exit_code = "usage", ExitCode.USAGE
    cli = "./caudal --help"
    ui = "Trigger the DAG again with the form's own fields"


class UnknownStream(UsageError):
    """No stream of that name is registered in include/streams/."""

    code = "unknown-stream"
    cli = "./caudal status lists the streams"
    ui = "The DAG list shows one DAG for each registered stream"


class ConfigError(CaudalError):
    """A setting, a registry row or the installation is wrong; the same call fails again until it is changed."""

    code, exit_code = "configuration", ExitCode.CONFIG
    cli = "./caudal doctor"
    ui = "Ask whoever runs this home to read ./caudal doctor"


class BrokenStream(ConfigError):
    """A stream's registry file does not load; the other streams go on without it."""

    code = "broken-stream"
    cli = "mend include/streams/<stream>.py; ./caudal doctor shows the reason"


class InstallationError(ConfigError):
    """The environment, a jar or the class-data cache is missing, incomplete or not what the lock file names."""

    code = "installation"
    cli = "./caudal setup"


class MachineUnfit(ConfigError):
    """This machine, or the user's limits on it, do not let a Spark driver work; the message names what is too little. Spark was not started."""

    code = "machine"
    cli = "raise the limit that is named here"


class PortTaken(ConfigError):
    """A configured port is used by another program."""

    code = "port-taken"
    cli = "stop the other program, or choose another port with the variable named here"


class ServiceError(CaudalError):
    """A service this needs does not answer: the broker, Airflow, a topic."""

    code, exit_code, transient = "service", ExitCode.SERVICE, True
    cli = "./caudal up, then ./caudal doctor"
    ui = "The task is tried again by itself; if it stays red, ask for ./caudal doctor"


class NoTaskRuns(ServiceError):
    """All services answer, yet Airflow did not get one small task done, so no stream would run either. The message says why."""

    code, transient = "no-task-runs", False
    cli = "mend what is named here, then ./caudal down and ./caudal up; ./caudal doctor --canary tries again"
    ui = "The log of caudal_canary, if it has one, ends with the reason"


class BrokerDown(ServiceError):
    """No Kafka broker answers at the bootstrap address."""

    code = "broker-down"
    cli = "./caudal up (embedded broker), or check CAUDAL_KAFKA_BOOTSTRAP"


class BrokerUnreachable(BrokerDown):
    """The broker answers at the bootstrap address, but sends its clients to addresses that this machine cannot reach, or does not know."""

    code = "broker-unreachable"
    cli = "set advertised.listeners on the broker to an address that can be reached from here, or make the name known here (DNS, /etc/hosts)"


class TopicMissing(ServiceError):
    """The broker answers, but has no such topic."""

    code, transient = "topic-missing", False
    cli = "./caudal topics create"
    ui = "Trigger seed_kafka_topics"


class DeliveryFailed(ServiceError):
    """Not every record reached the topic. The message says how many did; sending all of them again would repeat those."""

    code, transient = "delivery-failed", False
    cli = "./caudal consume TOPIC --last 5 shows what arrived; produce the rest"


class DiskFull(ServiceError):
    """The disk (or quota) is full. Nothing was published; the batch is done again by the next run."""

    code = "disk-full"
    cli = "free space under CAUDAL_HOME; ./caudal doctor shows where it goes; then ./caudal run STREAM"
    ui = "Free space, then clear the task"


class DataError(CaudalError):
    """Data or its bookkeeping on disk is not what it must be. Nothing was written on top of it."""

    code, exit_code = "data", ExitCode.DATA
    cli = "./caudal doctor"
    ui = "The task stays red until somebody looks: ./caudal doctor"


class PlannedFileMissing(DataError):
    """A file that Spark has planned into this batch is not in en_proceso, or has another size than at intake. Spark would commit without it."""

    code = "planned-file-missing"
    cli = "./caudal restore STREAM --file NAME --apply if it is in archivo, else put it back, as it was, into en_proceso; then ./caudal run STREAM"


class FilePassedOver(DataError):
    """A run has ended, and Spark has put an admitted file into no batch. What was published is whole without it."""

    code = "file-passed-over"
    cli = "touch the file named here, then ./caudal run STREAM; if it comes again, keep a copy of the file and report this"


class CheckpointDamaged(DataError):
    """A file of Spark's checkpoint is half written, unreadable or of an unknown version."""

    code = "checkpoint-damaged"
    cli = "restore the named checkpoint file from a backup; ./caudal checkpoint show STREAM reads it again"


class PairingBroken(DataError):
    """The checkpoint and the published output contradict each other; going on would lose or repeat records."""

    code = "pairing-broken"
    cli = "./caudal checkpoint show STREAM names the batch; restore the missing side, or begin anew: ./caudal generation reset STREAM"


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


class BatchConflict(CaudalError):
    """A batch of this number is published already with other input. Nothing was written."""

    code, exit_code = "batch-conflict", ExitCode.BUG
    cli = "./caudal checkpoint show STREAM; keep both folders and report this"
    ui = "The task stays red; nothing was overwritten"


class AccountMismatch(DataError):
    """Records in, records out and the independent count do not add up. Before publishing: nothing was published; at a run's end: it stands."""

    code = "account-mismatch"
    cli = "./caudal audit STREAM names every file and batch that does not add up"


class TooManyRefused(DataError):
    """More records were refused than the row's thresholds allow. What is good was published, and the next run goes on; this run is red so that
    somebody looks."""

    code = "too-many-refused"
    cli = "./caudal quarantine list STREAM; then reprocess or discard; the next run goes on by itself"
    ui = "Look at the quarantine, then trigger reprocess_quarantine; the next run goes on by itself"


class BatchHeld(DataError):
    """A batch has more refused records than the row's thresholds allow before anything is published. Nothing of it was published; the next run
    tries the same batch again, and is held again unless the rule is mended or a person accepts it."""

    code = "batch-held"
    cli = "./caudal quarantine show STREAM --batch BATCH; then ./caudal quarantine accept STREAM --batch BATCH --apply, or mend the rule or the row"
    ui = "Ask for ./caudal quarantine show STREAM; accepting is a matter of the command line"


class TopicRecreated(DataError):
    """The topic was deleted and made again: its offsets mean other records than the checkpoint's."""

    code = "topic-recreated"
    cli = "./caudal generation rollover STREAM begins at the new topic's earliest record; or bring the old topic back"
    ui = "Trigger manage_stream with verb rollover"


class OffsetsLost(DataError):
    """Offsets this stream still had to read are gone from the topic: retention passed, or the topic was cut."""

    code = "offsets-lost"
    cli = "./caudal generation rollover STREAM --accept-loss goes on behind them; raise the topic's retention, or have them produced again"


class LedgerDamaged(DataError):
    """The intake ledger of a folder cannot be read or contradicts the files."""

    code = "ledger-damaged"
    cli = "move the named ledger aside; the next run rebuilds it from the file names"


class JournalDamaged(DataError):
    """Housekeeping's journal cannot be read, or the files are not where its open operation needs them. Nothing more was moved."""

    code = "journal-damaged"
    cli = "./caudal doctor names the operation; put the file named here where the journal says, then run the same command again"


class FileChanged(DataError):
    """A file in en_proceso whose batch is done is no longer what was admitted, so it is not archived. What was published is whole."""

    code = "file-changed"
    cli = "what came after intake was not read: deliver it as a new file, then put this one back as it was, or move it away"


class UnsafePath(DataError):
    """A path leaves its root or goes through a link."""

    code = "unsafe-path"
    cli = "remove the link named here; Caudal follows none"


class LeaseHeld(CaudalError):
    """Another run of this stream holds the lease. Nothing was touched."""

    code, exit_code, transient = "lease-held", ExitCode.HELD, True
    cli = "wait for the run named here, or look at its driver.log"
    ui = "The task is rescheduled by itself until lease_wait_s is over"


class RunFailed(CaudalError):
    """Spark failed in a way that was not foreseen; driver.log holds the trace. Nothing half done was published."""

    code, exit_code, transient = "run-failed", ExitCode.BUG, True
    cli = "read the named driver.log; ./caudal run STREAM tries again"
    ui = "The task is tried again; its log ends with the reason"


class DriverDied(CaudalError):
    """Spark's driver ended without a report of its own: killed (by the system when memory ran out, by a person), or it could not begin. Its report
    was finished by whoever noticed, with the last lines of its output; the batches it published stand, and the next run reports them."""

    code, exit_code, transient = "driver-died", ExitCode.BUG, True
    cli = "read the named driver.log and the end of its output in report.json; ./caudal run STREAM goes on where it was"
    ui = "The task is tried again; its log has the last lines of the driver"


class Refused(CaudalError):
    """A verb was refused because it would be wrong now; the message says why."""

    code, exit_code = "refused", ExitCode.USAGE
    cli = "see the reason named here"


class NotWritable(ConfigError):
    """A folder of this home is read-only, or belongs to another user. Nothing was changed."""

    code = "not-writable"
    cli = "give the user that runs Caudal write permission on the path named here"


class Fenced(ServiceError):
    """Another producer took over one of this stream's transactional ids: a second home on this broker, or a killed run. Nothing was sent twice."""

    code = "fenced"
    cli = "./caudal run STREAM goes on where it was; if it comes again, look for a second home with this stream on this broker"


class TransactionTooLong(ServiceError):
    """A Kafka transaction was not ended within its time (the run's limit, at most the broker's transaction.max.timeout.ms) and was aborted."""

    code, transient = "transaction-too-long", False
    cli = "raise the row's limits.run_s or the broker's transaction.max.timeout.ms, or make batches smaller; then ./caudal run STREAM"


class TimeoutRefused(ConfigError):
    """The broker allows no Kafka transaction of a minute, so none of this stream can be ended in time."""

    code = "transaction-timeout"
    cli = "raise transaction.max.timeout.ms on the broker (its default is 900000)"


class TokensLost(DataError):
    """The topic that tells what was sent is gone or was made anew, and a batch is open that may have been sent in part. Nothing was sent now."""

    code = "tokens-lost"
    cli = "./caudal generation rewind STREAM --to-batch BATCH --allow-repeats sends the open batch again, as a whole"


class MessageRefused(DataError):
    """The broker takes one of the messages by no means, for its size as a rule. Its transaction was aborted."""

    code = "message-refused"
    cli = "raise max.message.bytes of the sink's topic, or leave the record out in the transform; then ./caudal run STREAM"


class NoCsvForm(DataError):
    """A row has no csv form: its only column is null. A line that holds nothing is no row to most readers. Nothing was published."""

    code = "no-csv-form"
    cli = "leave such rows out in the transform, or put a text in their place; or write json or parquet; then ./caudal run STREAM"


def tree(root: type[CaudalError] = CaudalError) -> Iterator[type[CaudalError]]:
    """All error classes, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)
