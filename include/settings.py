"""Environment -> frozen values. The only reader of os.environ.

| variable | default | meaning |
|---|---|---|
| CAUDAL_HOME | var | data, state, logs and runs of this home |
| CAUDAL_CACHE | .cache | environment, jars, class-data; may be shared between homes |
| CAUDAL_KAFKA_BOOTSTRAP | (embedded broker) | host:port[,host:port] of a broker of yours |
| CAUDAL_KAFKA_PROPERTIES | (none) | Java client properties of that broker (TLS, SASL), mode 0600 |
| CAUDAL_KAFKA_PORT | 9092, next free | port of the embedded broker |
| CAUDAL_KAFKA_CONTROLLER_PORT | 9093, next free | its controller port |
| CAUDAL_AIRFLOW_PORT | 8080, next free | port of Airflow's UI and REST API |
| CAUDAL_MASTER | local[2] | Spark master for runs from the command line |
| CAUDAL_TMP | CAUDAL_HOME/tmp | temporary files of runs and services; not on a noexec mount |
| CAUDAL_PASS_ENV | (none) | NAME,NAME*: what else of the environment drivers, services and tests get |
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.contract.disk.layout import Layout
from jobs.contract.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 400  # longest path of a home: state/intake/<stream>.sqlite-journal is appended
_BROKER = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}"
_BOOTSTRAP = re.compile(rf"{_BROKER}(,{_BROKER})*")


# Caudal sets these for all that it starts: no value of a shell passes, whatever CAUDAL_PASS_ENV says
RESERVED = ("SPARK_*", "PYSPARK_*", "PYTHON*", "LC_*", "LANG", "LANGUAGE", "TZ", "TMPDIR", "JAVA_HOME")


@dataclass(frozen=True)
class Port:
    """A TCP port on 127.0.0.1. `configured`: set by `variable`, so if it is busy that is an error, and no
    other port is tried."""

    number: int
    variable: str
    configured: bool


@dataclass(frozen=True)
class Settings:
    root: Path
    home: Path
    cache: Path
    kafka_bootstrap: str  # empty: the embedded broker
    kafka_properties: Path | None
    kafka_port: Port
    controller_port: Port
    airflow_port: Port
    master: str
    environ: Mapping[str, str]
    scratch: Path | None = None  # CAUDAL_TMP
    pass_env: tuple[str, ...] = ()  # names; `NAME*` for all that begin with NAME

    @property
    def layout(self) -> Layout:
        return Layout(self.home)

    @property
    def tmp(self) -> Path:
        """The folder for this home's temporary files. It is separate even if homes share CAUDAL_TMP."""
        if self.scratch is None:
            return self.home / "tmp"
        return self.scratch / f"caudal-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]}"

    @property
    def embedded_kafka(self) -> bool:
        return not self.kafka_bootstrap

    def __repr__(self) -> str:
        return f"Settings(home={self.home}, cache={self.cache}, kafka={self.kafka_bootstrap or 'embedded'})"


def _port(env: Mapping[str, str], variable: str, default: int) -> Port:
    text = env.get(variable, "")
    if not text:
        return Port(default, variable, configured=False)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ConfigError(
            f"{variable}={text[:20]!r} is not a port (1-65535)",
            variable,
            cli=f"set {variable} to a port, or unset it",
        )
    return Port(int(text), variable, configured=True)


def _path(variable: str, text: str) -> Path:
    """A relative path counts from the checkout, wherever the command is typed."""
    try:
        return ROOT / Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{variable}={text[:80]!r} names a user this machine does not know",
            variable,
            cli="write the path out",
        ) from error


def _folder(env: Mapping[str, str], variable: str, default: Path) -> Path:
    path = _path(variable, env.get(variable) or str(default))
    if any(c in str(path) for c in "\n\r\0,:*?[]{}\\"):
        what = f"{variable} contains a character that is special in Java class paths or Spark's globs"
        raise ConfigError(what, path, cli=f"set {variable} to another folder")
    if len(os.fsencode(path)) > MOST_BYTES:
        what = f"{variable} is {len(os.fsencode(path))} bytes long; SQLite's limit for a file's path is 512"
        raise ConfigError(what, path, cli=f"set {variable} to a folder of at most {MOST_BYTES} bytes")
    return path


def _properties(env: Mapping[str, str]) -> Path | None:
    text = env.get("CAUDAL_KAFKA_PROPERTIES", "")
    if not text:
        return None
    path = _path("CAUDAL_KAFKA_PROPERTIES", text)
    if not path.is_file():
        raise ConfigError(
            "CAUDAL_KAFKA_PROPERTIES is not the path of a file", path, cli="name one, or unset it"
        )
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError(
            "CAUDAL_KAFKA_PROPERTIES must be readable by its owner alone", path, cli=f"chmod 600 {path}"
        )
    return path


def _bootstrap(env: Mapping[str, str]) -> str:
    text = env.get("CAUDAL_KAFKA_BOOTSTRAP", "")
    if text and not _BOOTSTRAP.fullmatch(text):
        what = f"CAUDAL_KAFKA_BOOTSTRAP={text[:80]!r} is not host:port[,host:port]"
        raise ConfigError(what, "CAUDAL_KAFKA_BOOTSTRAP", cli="name the brokers in this form, or unset it")
    return text


def _pass_env(env: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(filter(None, (word.strip() for word in env.get("CAUDAL_PASS_ENV", "").split(","))))
    for name in names:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\*?", name):
            raise ConfigError(
                f"{name[:80]!r} is neither a variable's name nor NAME*",
                "CAUDAL_PASS_ENV",
                cli="NAME,NAME*",
            )
        if name in RESERVED or any(name.startswith(one[:-1]) for one in RESERVED if one.endswith("*")):
            raise ConfigError(
                f"Caudal sets {name} itself, so no other value can pass",
                "CAUDAL_PASS_ENV",
                cli=f"leave {name} out",
            )
    return names


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `env`. Raises ConfigError with the variable's name."""
    return Settings(
        root=ROOT,
        home=_folder(env, "CAUDAL_HOME", ROOT / "var"),
        cache=_folder(env, "CAUDAL_CACHE", ROOT / ".cache"),
        kafka_bootstrap=_bootstrap(env),
        kafka_properties=_properties(env),
        kafka_port=_port(env, "CAUDAL_KAFKA_PORT", 9092),
        controller_port=_port(env, "CAUDAL_KAFKA_CONTROLLER_PORT", 9093),
        airflow_port=_port(env, "CAUDAL_AIRFLOW_PORT", 8080),
        master=env.get("CAUDAL_MASTER", "local[2]"),
        environ=dict(env),
        scratch=_folder(env, "CAUDAL_TMP", ROOT) if env.get("CAUDAL_TMP") else None,
        pass_env=_pass_env(env),
    )
