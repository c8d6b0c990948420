"""Selects the caller's variables that the programs which Caudal starts may see. This is the only place with
that list.

Drivers, services and tests get the variables named here and those of CAUDAL_PASS_ENV. Everything else of a
shell stays outside: another Spark, another Python, options for every JVM, a locale. Only `setup` works in the
caller's whole environment, because it needs that environment's network settings.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from include.settings import RESERVED, Settings

EVERYWHERE = ("CAUDAL_*", "PATH", "TERM", "COLORTERM", "NO_COLOR", "USER", "LOGNAME")
NETWORK = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
SERVICES = (*NETWORK, "AIRFLOW_CONN_*", "AIRFLOW_VAR_*")
TESTS = (*NETWORK, "PYTEST_*", "HYPOTHESIS_*", "CI", "PIP_*", "UV_*")
# always searched: Spark's own scripts call bash and ps, which a bare shell's PATH may lack
_PATH = "/usr/local/bin:/usr/bin:/bin"


def base(settings: Settings, more: Iterable[str] = ()) -> dict[str, str]:
    """The caller's variables that may pass, with one locale and one time zone. `more`: more names; `NAME*`
    stands for all that begin with NAME."""
    allowed = (*EVERYWHERE, *more, *settings.pass_env)
    kept = {
        name: text
        for name, text in settings.environ.items()
        if _among(name, allowed) and not _among(name, RESERVED)
    }
    path = ":".join(
        dict.fromkeys(part for part in f"{kept.get('PATH', '')}:{_PATH}".split(":") if part)
    )  # an empty part is the working directory
    return _named(kept) | _LOCALE | {"PATH": path}


# under LANG=C a JVM cannot open a file with an ñ in its name; macOS has no C.UTF-8, and does not need it
_LOCALE = {"TZ": "UTC", "PYTHONUTF8": "1"} | ({"LC_ALL": "C.UTF-8"} if sys.platform == "linux" else {})


def _among(name: str, patterns: Iterable[str]) -> bool:
    return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in patterns)


def _named(kept: Mapping[str, str]) -> dict[str, str]:
    """Adds a name for a user id that is not in the password file: Python's getpass needs one."""
    if kept.get("LOGNAME") or kept.get("USER"):
        return dict(kept)
    return {**kept, "LOGNAME": user() or f"uid-{os.geteuid()}"}


def user() -> str:
    """The login name of this process's user; empty if the password file has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def of_driver(settings: Settings, place: Path) -> dict[str, str]:
    """The environment of Spark's driver, whose temporary files and home are in `place`."""
    return base(settings) | {"SPARK_LOCAL_DIRS": str(place)} | _at(settings, place)


def of_services(settings: Settings) -> dict[str, str]:
    """The environment of broker, Airflow and its tasks, with the user's Airflow connections and variables."""
    return base(settings, SERVICES) | _at(settings, settings.tmp / "services")


def of_tests(settings: Settings, home: Path) -> dict[str, str]:
    """The environment of linters and tests. It has its own home, so that the user's home, broker and ports
    are not touched."""
    kept = {name: text for name, text in base(settings, TESTS).items() if not name.startswith("CAUDAL_")}
    return kept | {
        "CAUDAL_HOME": str(home),
        "CAUDAL_CACHE": str(settings.cache),
        "HOME": _home(settings, home),
        "TMPDIR": str(home.parent),
    }


def _home(settings: Settings, otherwise: Path) -> str:
    """The user's own HOME if it exists: the tests of the installation need the pip settings that may be in
    it."""
    own = settings.environ.get("HOME", "")
    return own if own and Path(own).is_dir() else str(otherwise)


def _at(settings: Settings, place: Path) -> dict[str, str]:
    passed = {
        name: settings.environ[name]
        for name in ("HOME",)
        if name in settings.environ and name in settings.pass_env
    }
    return {"HOME": str(place), "TMPDIR": str(place)} | passed


# for every JVM: under tr_TR `INÉS` became `ınes`
JVM_LOCALE = ("-Duser.language=en", "-Duser.country=US", "-Duser.timezone=UTC")


def jvm(place: Path) -> tuple[str, ...]:
    """Options of a JVM whose temporary files and home are in `place`."""
    return (
        *JVM_LOCALE,
        f"-Djava.io.tmpdir={place}",
        f"-Duser.home={place}",
        "-XX:-UsePerfData",
    )  # the last one: write no /tmp/hsperfdata_USER
