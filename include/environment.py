"""What the programs that Caudal starts get of the caller's environment: an allow-list, made here alone.

Drivers, services and tests get what is named here and what CAUDAL_PASS_ENV adds; everything else of a shell stays outside (another Spark, another
Python, options for every JVM, a locale). `setup` alone works in the caller's whole environment: it has to get through that one's network.
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
# a shell without these finds neither bash nor ps, which Spark's own scripts call
_PATH = "/usr/local/bin:/usr/bin:/bin"


def base(settings: Settings, more: Iterable[str] = ()) -> dict[str, str]:
    """What may pass of the caller's variables, with one locale and one time zone. `more`: names of a purpose, `NAME*` for all that begin so."""
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


# under LANG=C a JVM cannot open a file whose name holds an ñ; macOS has no C.UTF-8, and needs none
_LOCALE = {"TZ": "UTC", "PYTHONUTF8": "1"} | ({"LC_ALL": "C.UTF-8"} if sys.platform == "linux" else {})


def _among(name: str, patterns: Iterable[str]) -> bool:
    return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in patterns)


def _named(kept: Mapping[str, str]) -> dict[str, str]:
    """With a name for a user id that no password file knows: Python's getpass asks for one."""
    if kept.get("LOGNAME") or kept.get("USER"):
        return dict(kept)
    return {**kept, "LOGNAME": user() or f"uid-{os.geteuid()}"}


def user() -> str:
    """The login name of this process's user; empty when the password file has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def of_driver(settings: Settings, place: Path) -> dict[str, str]:
    """Of Spark's driver, whose temporary files and home are `place`."""
    return base(settings) | {"SPARK_LOCAL_DIRS": str(place)} | _at(settings, place)


def of_services(settings: Settings) -> dict[str, str]:
    """Of broker, Airflow and its tasks. Connections and Airflow variables of the user's are among it."""
    return base(settings, SERVICES) | _at(settings, settings.tmp / "services")


def of_tests(settings: Settings, home: Path) -> dict[str, str]:
    """Of linters and tests, which have a home of their own: no home, broker or port of the user's is touched."""
    kept = {name: text for name, text in base(settings, TESTS).items() if not name.startswith("CAUDAL_")}
    return kept | {
        "CAUDAL_HOME": str(home),
        "CAUDAL_CACHE": str(settings.cache),
        "HOME": _home(settings, home),
        "TMPDIR": str(home.parent),
    }


def _home(settings: Settings, otherwise: Path) -> str:
    """The user's own while it is there: pip's settings may lie in it, and the tests of the installation need them."""
    own = settings.environ.get("HOME", "")
    return own if own and Path(own).is_dir() else str(otherwise)


def _at(settings: Settings, place: Path) -> dict[str, str]:
    passed = {
        name: settings.environ[name]
        for name in ("HOME",)
        if name in settings.environ and name in settings.pass_env
    }
    return {"HOME": str(place), "TMPDIR": str(place)} | passed


# of every JVM of Caudal's: under tr_TR `INÉS` became `ınes`
JVM_LOCALE = ("-Duser.language=en", "-Duser.country=US", "-Duser.timezone=UTC")


def jvm(place: Path) -> tuple[str, ...]:
    """Options of a JVM whose temporary files and home are `place`."""
    return (
        *JVM_LOCALE,
        f"-Djava.io.tmpdir={place}",
        f"-Duser.home={place}",
        "-XX:-UsePerfData",
    )  # the last: nothing in /tmp/hsperfdata_USER
