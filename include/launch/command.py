"""From a RunSpec to the spark-submit command and its environment. Spark's launch options are written here and
nowhere else."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from include import environment
from include.launch import package
from include.launch.profiles import Profile
from include.settings import Settings
from include.setup import class_data, java, jvm
from jobs.contract.run.spec import RunSpec

# Not set with SPARK_CONF_DIR: that puts a folder on the class path, and the JVM then refuses the class-data
# cache.
LOGGING = Path(__file__).parent / "conf" / "log4j2.properties"


@dataclass(frozen=True)
class Command:
    argv: tuple[str, ...]
    environ: dict[str, str]


def build(
    settings: Settings, spec: RunSpec, spec_path: Path, profile: Profile, master: str, python: str
) -> Command:
    """Raises InstallationError when Java, Spark or a jar is missing."""
    name, memory = spec.stream.name, spec.stream.limits.driver_memory_mib
    job = Job(
        job_name(name),
        settings.root / "jobs" / f"{name}.py",
        spec_path,
        memory,
        profile.java_options,
        ("spark.ui.enabled=false",),
    )
    return submit(settings, job, master, python)


def job_name(stream: str) -> str:
    return f"caudal-{stream}"


@dataclass(frozen=True)
class Job:
    """`file` is run with `--spec spec`; its driver.log lies beside the spec. `conf`: Spark settings of this
    job alone. `jars`: in addition to Spark's own."""

    name: str
    file: Path
    spec: Path
    memory_mib: int
    java_options: tuple[str, ...]
    conf: tuple[str, ...]
    jars: tuple[Path, ...] = ()


def submit(settings: Settings, job: Job, master: str, python: str) -> Command:
    """The spark-submit command of any job, also of a lab. Raises as `build`."""
    installed, home = java.find(settings), class_data.spark_home()
    shipped = package.jobs_zip(settings.root, settings.layout.state / "package")
    options = (*_options(settings, job, master, installed), "--py-files", _uri(shipped))
    argv = (str(home / "bin" / "spark-submit"), *options, _uri(job.file), "--spec", str(job.spec))
    # Spark gives --py-files to the job and its workers, but not to the process that keeps state in Python
    environ = _environ(settings, job, java.for_spark(settings, installed), home, python)
    return Command(argv, environ | {"PYTHONPATH": str(shipped)})


def _uri(path: Path) -> str:
    """Spark reads a file's name as a URI: without a scheme, a `#` would end the path."""
    return path.as_uri() if "#" in str(path) else str(path)


def place(settings: Settings, job: Job) -> Path:
    """The folder for the job's temporary files. Whoever starts the job creates it."""
    return settings.tmp / job.name


def interactive(settings: Settings, job: Job, master: str, python: str) -> dict[str, str]:
    """The environment for a Python that starts Spark itself, as a notebook does: the options of `submit`,
    with `jobs` and `include` on its path. The job's file is not run. Raises as `build`."""
    installed, home = java.find(settings), class_data.spark_home()
    words = shlex.join((*_options(settings, job, master, installed), "pyspark-shell"))
    return _environ(settings, job, java.for_spark(settings, installed), home, python) | {
        "PYSPARK_SUBMIT_ARGS": words,
        "PYTHONPATH": str(settings.root),
    }


def _options(settings: Settings, job: Job, master: str, installed: java.Java) -> list[str]:
    log = job.spec.parent / "driver.log"
    files = (
        f"-Dlog4j2.configurationFile={_uri(LOGGING)}",
        f"-Dcaudal.log={log}",
        f"-XX:ErrorFile={log.with_name('hs_err.log')}",
    )
    ours = environment.jvm(place(settings, job))
    options = (*job.java_options, *class_data.mapping(settings, installed), *ours, *files)
    class_path = jvm.driver_class_path(settings)
    jars = [*(() if master.startswith("local") else class_path.split(":")), *map(str, job.jars)]
    conf = (
        *job.conf,
        "spark.ui.showConsoleProgress=false",
        "spark.driver.host=127.0.0.1",
        "spark.driver.bindAddress=127.0.0.1",
    )
    return [
        *("--master", master, "--name", job.name),
        *("--driver-memory", f"{job.memory_mib}m"),
        *("--driver-class-path", class_path),
        # all in one option: --driver-java-options and extraJavaOptions would overwrite each other
        *("--driver-java-options", class_data.quoted(options)),
        *(word for setting in conf for word in ("--conf", setting)),
        *(("--jars", ",".join(jars)) if jars else ()),
    ]


def _environ(settings: Settings, job: Job, java_home: Path, spark_home: Path, python: str) -> dict[str, str]:
    # for the short JVM that only prints Spark's command line; it splits at blanks, and knows no quotes
    short = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")
    return environment.of_driver(settings, place(settings, job)) | {
        "JAVA_HOME": str(java_home),
        "SPARK_HOME": str(spark_home),
        "SPARK_LAUNCHER_OPTS": " ".join(short),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "PYTHONSAFEPATH": "1",  # the job script's own folder must not come first on sys.path
        "PYTHONUNBUFFERED": "1",
        "PYTHONNODEBUGRANGES": "1",
    }
