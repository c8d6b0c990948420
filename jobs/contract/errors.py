"""Every foreseen failure is one class: a stable code, an exit code, and what to do next (Airflow, command
line).

docs/errors.md is generated from this tree: the docstring of a class is what an operator reads. So a docstring
says what happened, what was or was not written, and what follows from it. `cli` and `ui` say what to do; the
words STREAM and BATCH in them are filled in where the error is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """Exit codes of a process. From 64 on they are those of BSD's sysexits.h, so other tools understand
    them."""

    DONE = 0
    FAILED = 1  # a check (doctor, test) found something wrong
    USAGE = 64
    DATA = 65
    SERVICE = 69
    BUG = 70
    HELD = 75
    CONFIG = 78


class CaudalError(Exception):
    """A failure that was foreseen.

    `what` says what happened. `where` names the file, stream, topic or variable. `cli` and `ui` replace the
    class's own next step where the caller knows a more exact one.
    """

    code: ClassVar[str] = "caudal"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    # True: the same call may succeed later, so Airflow's retry makes sense. False: somebody must change
    # something.
    transient: ClassVar[bool] = False
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
        """Replaces STREAM by `stream` in the next steps, so that they can be copied and run."""
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
    """The command or the form is wrong: an unknown option, a bad value, a file that does not exist."""

    code, exit_code = "usage", ExitCode.USAGE
    cli = "./caudal --help"
    ui = "Trigger the DAG again, with the fields of its form"


class UnknownStream(UsageError):
    """No stream of that name is registered in include/streams/."""

    code = "unknown-stream"
    cli = "./caudal status lists the streams"
    ui = "The DAG list shows one DAG for each registered stream"


class ConfigError(CaudalError):
    """A setting, a registry row or the installation is wrong. The same call fails until it is changed."""

    code, exit_code = "configuration", ExitCode.CONFIG
    cli = "./caudal doctor"
    ui = "Ask the person who runs this home to run ./caudal doctor"


class BrokenStream(ConfigError):
    """A stream's file in include/streams/ does not load. The other streams run without it."""

    code = "broken-stream"
    cli = "fix include/streams/<stream>.py; ./caudal doctor shows the reason"


class InstallationError(ConfigError):
    """The environment, a jar or the class-data cache is missing, incomplete, or not the one in the lock
    file."""

    code = "installation"
    cli = "./caudal setup"


class MachineUnfit(ConfigError):
    """A Spark driver cannot work on this machine or within this user's limits. The message names what is too
    low. Spark was not started."""

    code = "machine"
    cli = "raise the limit named here"


class PortTaken(ConfigError):
    """Another program uses a port that is configured for this home."""

    code = "port-taken"
    cli = "stop the other program, or choose another port with the variable named here"


class ServiceError(CaudalError):
    """A service that this call needs does not answer: the broker, Airflow, or a topic."""

    code, exit_code, transient = "service", ExitCode.SERVICE, True
    cli = "./caudal up, then ./caudal doctor"
    ui = "Airflow tries the task again; if it stays red, ask for ./caudal doctor"


class NoTaskRuns(ServiceError):
    """All services answer, but Airflow could not run one small task, so it would run no stream either. The
    message says why."""

    code, transient = "no-task-runs", False
    cli = (
        "fix what is named here, then ./caudal down and ./caudal up; ./caudal doctor --canary tests it again"
    )
    ui = "If the DAG caudal_canary has a log, its last lines say why"


class BrokerDown(ServiceError):
    """No Kafka broker answers at the bootstrap address."""

    code = "broker-down"
    cli = "./caudal up (embedded broker), or check CAUDAL_KAFKA_BOOTSTRAP"


class BrokerUnreachable(BrokerDown):
    """The broker answers at the bootstrap address, but the addresses that it advertises to its clients cannot
    be reached or resolved from this machine."""

    code = "broker-unreachable"
    cli = (
        "set advertised.listeners on the broker to an address that this machine can reach, or make its name "
        "known here (DNS, /etc/hosts)"
    )


class TopicMissing(ServiceError):
    """The broker answers, but it has no such topic."""

    code, transient = "topic-missing", False
    cli = "./caudal topics create"
    ui = "Trigger seed_kafka_topics"


class DeliveryFailed(ServiceError):
    """Some records did not reach the topic. The message says how many did. Do not send all of them again:
    that would repeat the ones that arrived."""

    code, transient = "delivery-failed", False
    cli = "./caudal consume TOPIC --last 5 shows what arrived; produce the rest"


class DiskFull(ServiceError):
    """The disk or the quota is full. Nothing was published. The next run does the batch again."""

    code = "disk-full"
    cli = "free space under CAUDAL_HOME (./caudal doctor shows what uses it); then ./caudal run STREAM"
    ui = "Free space, then clear the task"


class DataError(CaudalError):
    """Data on disk, or the files that keep account of it, are not what they must be. Nothing was written over
    them."""

    code, exit_code = "data", ExitCode.DATA
    cli = "./caudal doctor"
    ui = "The task stays red until somebody looks: ./caudal doctor"


class PlannedFileMissing(DataError):
    """Spark planned a file into this batch, but the file is not in en_proceso or its size differs from that
    at intake. The run stopped, because Spark would commit the batch without the file's records."""

    code = "planned-file-missing"
    cli = (
        "if the file is in archivo: ./caudal restore STREAM --file NAME --apply; else put it back into "
        "en_proceso, unchanged; then ./caudal run STREAM"
    )


class FilePassedOver(DataError):
    """The run ended, but Spark put an admitted file into no batch. What was published is complete without
    it."""

    code = "file-passed-over"
    cli = (
        "touch the file named here, then ./caudal run STREAM; if it happens again, keep a copy and report "
        "this"
    )


class CheckpointDamaged(DataError):
    """A file of Spark's checkpoint is incomplete, unreadable, or of an unknown version."""

    code = "checkpoint-damaged"
    cli = "restore the checkpoint file named here from a backup; ./caudal checkpoint show STREAM checks it"


class PairingBroken(DataError):
    """The checkpoint and the published output contradict each other. A run would lose or repeat records, so
    none starts."""

    code = "pairing-broken"
    cli = (
        "./caudal checkpoint show STREAM names the batch; restore what is missing, or start from the "
        "beginning: ./caudal generation reset STREAM"
    )


class UpstreamTakenBack(DataError):
    """This stream has read rows that are no longer published, because the stream that published them was
    reset or rewound. That stream publishes the same records again."""

    code = "upstream-taken-back"
    cli = (
        "./caudal generation reset STREAM reads what is published now, from the beginning; or undo the "
        "operation of the other stream"
    )
    ui = "Trigger manage_stream with verb reset"


class StateUnusable(DataError):
    """The state of a stateful stream cannot be read, or another transform wrote it. Nothing was published
    from it."""

    code = "state-unusable"
    cli = (
        "./caudal generation reset STREAM builds the state again from what is published; or undo the change "
        "of the transform"
    )
    ui = "Trigger manage_stream with verb reset"


class BatchConflict(CaudalError):
    """A batch of this number is already published, from other input. Nothing was written."""

    code, exit_code = "batch-conflict", ExitCode.BUG
    cli = "./caudal checkpoint show STREAM; keep both folders and report this"
    ui = "The task stays red; nothing was overwritten"


class AccountMismatch(DataError):
    """Records in, records out and the independent count do not agree. If this was found before publishing,
    nothing was published. If it was found at the end of a run, what was published stays."""

    code = "account-mismatch"
    cli = "./caudal audit STREAM names every file and batch whose counts do not agree"


class TooManyRefused(DataError):
    """More records were refused than the row's thresholds allow. The good records were published, and the
    next run continues. This run is red so that somebody looks."""

    code = "too-many-refused"
    cli = "./caudal quarantine list STREAM; then reprocess or discard; the next run continues in any case"
    ui = "Look at the quarantine, then trigger reprocess_quarantine; the next run continues in any case"


class BatchHeld(DataError):
    """A batch has more refused records than its row allows before publishing, so nothing of it was published.
    Each run tries the same batch again. It stays held until the rule is changed or a person accepts the
    batch."""

    code = "batch-held"
    cli = (
        "./caudal quarantine show STREAM --batch BATCH; then ./caudal quarantine accept STREAM --batch BATCH "
        "--apply, or change the rule or the row"
    )
    ui = "Ask for ./caudal quarantine show STREAM; only the command line can accept a batch"


class TopicRecreated(DataError):
    """The topic was deleted and created again, so the checkpoint's offsets no longer point at the same
    records."""

    code = "topic-recreated"
    cli = (
        "./caudal generation rollover STREAM starts at the new topic's earliest record; or bring the old "
        "topic back"
    )
    ui = "Trigger manage_stream with verb rollover"


class OffsetsLost(DataError):
    """The topic no longer holds offsets that this stream has not read: their retention ended, or they were
    deleted."""

    code = "offsets-lost"
    cli = (
        "./caudal generation rollover STREAM --accept-loss continues after them; raise the topic's "
        "retention, or have the records produced again"
    )


class LedgerDamaged(DataError):
    """The intake ledger of a folder cannot be read, or contradicts the files."""

    code = "ledger-damaged"
    cli = "move the ledger named here out of the way; the next run rebuilds it from the file names"


class JournalDamaged(DataError):
    """Housekeeping's journal cannot be read, or a file is not where its open operation expects it. No more
    files were moved."""

    code = "journal-damaged"
    cli = (
        "./caudal doctor names the operation; put the file named here where the journal expects it, then run "
        "the same command again"
    )


class FileChanged(DataError):
    """A file in en_proceso changed after it was admitted. Its batch is done and what was published is
    complete, but the file is not archived."""

    code = "file-changed"
    cli = (
        "what was added after intake was not read: deliver it as a new file; then put this file back as it "
        "was, or move it away"
    )


class UnsafePath(DataError):
    """A path leaves its root folder or goes through a link."""

    code = "unsafe-path"
    cli = "remove the link named here; Caudal does not follow links"


class LeaseHeld(CaudalError):
    """Another run of this stream holds the lease. Nothing was changed."""

    code, exit_code, transient = "lease-held", ExitCode.HELD, True
    cli = "wait for the run named here, or look at its driver.log"
    ui = "Airflow reschedules the task until lease_wait_s is over"


class RunFailed(CaudalError):
    """Spark failed in a way that was not foreseen. The trace is in driver.log. Every published batch is
    complete."""

    code, exit_code, transient = "run-failed", ExitCode.BUG, True
    cli = "read the driver.log named here; ./caudal run STREAM tries again"
    ui = "Airflow tries the task again; the last lines of its log say why"


class DriverDied(CaudalError):
    """Spark's driver ended without writing its report. It could not start, or it was killed: by a person, or
    by the system when memory ran out. The report was completed later, with the last lines of the driver's
    output. The batches that the driver published are valid, and the next run reports them."""

    code, exit_code, transient = "driver-died", ExitCode.BUG, True
    cli = (
        "read the driver.log named here and the driver's last output in report.json; ./caudal run STREAM "
        "continues where it stopped"
    )
    ui = "Airflow tries the task again; the task's log has the driver's last lines"


class Refused(CaudalError):
    """A command was refused because it would do harm now. The message says why."""

    code, exit_code = "refused", ExitCode.USAGE
    cli = "see the reason named here"


class NotWritable(ConfigError):
    """A folder of this home is read-only or belongs to another user. Nothing was changed."""

    code = "not-writable"
    cli = "give the user that runs Caudal write permission on the path named here"


class Fenced(ServiceError):
    """Another producer took over one of this stream's transactional ids: a producer of a second home on this
    broker, or of a killed run. No message was sent twice."""

    code = "fenced"
    cli = (
        "./caudal run STREAM continues where it stopped; if it happens again, look for a second home with "
        "this stream on this broker"
    )


class TransactionTooLong(ServiceError):
    """A Kafka transaction did not end within its timeout and was aborted. The timeout is the run's time
    limit, but at most the broker's transaction.max.timeout.ms."""

    code, transient = "transaction-too-long", False
    cli = (
        "raise the row's limits.run_s or the broker's transaction.max.timeout.ms, or make batches smaller; "
        "then ./caudal run STREAM"
    )


class TimeoutRefused(ConfigError):
    """The broker allows no Kafka transaction of a minute. This stream's transactions could not end in time,
    so none was begun."""

    code = "transaction-timeout"
    cli = "raise transaction.max.timeout.ms on the broker (its default is 900000)"


class TokensLost(DataError):
    """The topic that records which offsets were sent is gone or was created again, and a batch is open of
    which a part may have been sent. Nothing was sent now."""

    code = "tokens-lost"
    cli = (
        "./caudal generation rewind STREAM --to-batch BATCH --allow-repeats sends the whole open batch again"
    )


class MessageRefused(DataError):
    """The broker rejected a message, usually because it is too large. The transaction was aborted."""

    code = "message-refused"
    cli = (
        "raise max.message.bytes of the sink's topic, or leave the record out in the transform; then"
        " ./caudal run STREAM"
    )


class NoCsvForm(DataError):
    """A row cannot be written as csv: its only column is null, and most readers skip an empty line. Nothing
    was published."""

    code = "no-csv-form"
    cli = (
        "leave such rows out in the transform, put a text in their place, or write json or parquet; then"
        " ./caudal run STREAM"
    )


def tree(root: type[CaudalError] = CaudalError) -> Iterator[type[CaudalError]]:
    """All error classes, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)
