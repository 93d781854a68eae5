"""Read the settings of a command; what is wrong with them is said in one sentence."""

from pathlib import Path
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from inturn.refused import refuse
from shared.domain.rates import parse_rate
from shared.service.jwks import BadKeyFile, read_keys
from shared.settings import Settings, unknown_names, variable
from shared.telemetry import configure_logging

# Read by the client commands and by the tests, so they are no typing errors.
_OTHER_NAMES = ("INTURN_URL", "INTURN_API_KEY")
_TEST_PREFIX = "INTURN_TEST_"

# URLs may hold passwords; like the keys, their values are not shown.
_SECRET = {"bootstrap_key", "jwt_secret", "database_url", "broker_url"}

_ALLOWED = {
    "bootstrap_key": "16 to 256 visible ASCII characters",
    "namespace": "1 to 64 of letters, digits, `_`, `.` and `-`",
    "log_level": "DEBUG, INFO, WARNING or ERROR",
}
_DATABASES = ("sqlite+aiosqlite:///", "sqlite:///", "postgresql+asyncpg://", "postgresql://")
_BROKERS = ("embedded://", "amqp://", "amqps://")
_RATES = ("rate_limit", "session_rate_limit", "user_rate_limit")


def read_settings(**overrides: object) -> Settings:
    """Read the environment; `overrides` are options of the command line, None where not given."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        refuse("; ".join(_explain(each) for each in error.errors()))
    _check(settings)
    return settings


def start(**overrides: object) -> Settings:
    """Begin a process that serves: settings, warnings, log lines."""
    settings = read_settings(**overrides)
    configure_logging(settings.log_level)
    for warning in warnings():
        typer.echo(f"inturn: warning: {warning}", err=True)
    return settings


def local_url(host: str, port: int) -> str:
    """Print where a client on this machine reaches what listens on `host`."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def distributed(settings: Settings, verb: str) -> None:
    """Refuse what only one process may own."""
    if settings.sqlite:
        refuse(
            f"`inturn {verb}` shares its database with other processes and needs PostgreSQL: "
            "set INTURN_DATABASE_URL=postgresql+asyncpg://..., or run everything in one process "
            "with `inturn serve`."
        )
    if settings.embedded:
        refuse(
            f"`inturn {verb}` shares its broker with other processes and needs RabbitMQ: set "
            "INTURN_BROKER_URL=amqp://..., or run everything in one process with `inturn serve`."
        )


def warnings() -> list[str]:
    """List what will not do what its author hoped."""
    return [
        f"{name} means nothing here" + (f"; did you mean {nearest}?" if nearest else ".")
        for name, nearest in unknown_names()
        if name not in _OTHER_NAMES and not name.startswith(_TEST_PREFIX)
    ]


def _check(settings: Settings) -> None:
    _check_url("database_url", settings.database, _DATABASES)
    _check_url("broker_url", settings.broker_url, _BROKERS)
    for name in _RATES:
        _check_rate(name, getattr(settings, name))
    if settings.heartbeat_seconds >= settings.lease_seconds:
        refuse(
            f"INTURN_HEARTBEAT_SECONDS is {settings.heartbeat_seconds:g}, and it must be less "
            f"than INTURN_LEASE_SECONDS ({settings.lease_seconds:g})."
        )
    if settings.jwt_jwks_file:
        _check_keys(settings.jwt_jwks_file)
    least, most = settings.session_min_timeout_minutes, settings.session_max_timeout_minutes
    if least > most:
        refuse(
            f"SESSION_MIN_TIMEOUT_MINUTES is {least:g}, and it must not be more than "
            f"SESSION_MAX_TIMEOUT_MINUTES ({most:g})."
        )
    if settings.agents_file and not settings.agents_file.is_file():
        refuse(f"INTURN_AGENTS_FILE is '{settings.agents_file}', and there is no such file.")


def _check_url(name: str, url: str, allowed: tuple[str, ...]) -> None:
    if not url.startswith(allowed):
        refuse(f"{variable(name)} has a bad value; it begins with {' or '.join(allowed)}.")
    if url.endswith((":///", ":memory:")):
        refuse(f"{variable(name)} names no file; a database in memory keeps no promise.")
    try:
        _ = urlsplit(url).port
    except ValueError:
        refuse(f"{variable(name)} has a bad value: its port is no number.")


def _check_rate(name: str, rate: str) -> None:
    try:
        parse_rate(rate)
    except ValueError as error:
        refuse(f"{variable(name)} is '{rate}'; allowed: {error}.")


def _check_keys(path: Path) -> None:
    try:
        read_keys(path)
    except BadKeyFile as error:
        refuse(f"INTURN_JWT_JWKS_FILE: {error}.")


def _explain(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    said = error["msg"].replace("Input should be", "").removeprefix("Value error,").strip()
    shown = "has a bad value" if name in _SECRET else f"is '{error['input']}'"
    return f"{variable(name)} {shown}; allowed: {_ALLOWED.get(name, said)}"
