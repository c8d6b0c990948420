"""A home's secrets. They are made once, at random, and kept in files of mode 0600; they never appear in a
command line, a log or the environment."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from include.services import files
from include.settings import Settings
from jobs.contract.errors import ConfigError

USER = "admin"


@dataclass(frozen=True, repr=False)
class Keys:
    """Airflow's keys and the password of its one user. repr() shows none of them."""

    password: str
    fernet_key: str
    secret_key: str
    jwt_secret: str

    def __repr__(self) -> str:
        return "Keys(****)"


def password_file(settings: Settings) -> Path:
    """A JSON file, {"admin": password}: the form that Airflow's simple auth manager reads."""
    return settings.home / "airflow" / "passwords.json"


def _fresh() -> Keys:
    fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return Keys(secrets.token_urlsafe(18), fernet, secrets.token_urlsafe(32), secrets.token_urlsafe(64))


def _read(path: Path) -> Keys:
    try:
        return Keys(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ConfigError(
            "the file of this home's keys cannot be read",
            path,
            cli=f"remove {path}, then ./caudal down and up",
        ) from error


def make(settings: Settings) -> Keys:
    """The keys of this home. The first call makes them, and the password file. Raises ConfigError for a
    damaged file."""
    path = settings.home / "airflow" / "keys.json"
    if not path.exists():
        files.write(path, json.dumps(asdict(_fresh())) + "\n", 0o600)
    keys = _read(path)
    wanted = json.dumps({USER: keys.password})
    if not password_file(settings).exists() or password_file(settings).read_text(encoding="utf-8") != wanted:
        files.write(password_file(settings), wanted, 0o600)
    return keys


def password(settings: Settings) -> str:
    """The password of USER. Raises ConfigError before the first `up`."""
    path = settings.home / "airflow" / "keys.json"
    if not path.exists():
        raise ConfigError("this home has no password yet", path, cli="./caudal up")
    return _read(path).password
