"""Settings: environment variables with the prefix `INTURN_`, read once at start."""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "INTURN_"
EMBEDDED_BROKER = "embedded://"

_SECRET_BYTES = 32  # RFC 7518, 3.2
# As browsers send it: in lower case, with no path, and no port that goes without saying.
_ORIGIN = re.compile(
    r"(?!https://.*:443$)(?!http://.*:80$)"
    r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?"
)
_ORIGINS = (
    "origins with commas between them, as https://app.example or http://localhost:5173 "
    "(lower case, no path, no `/` at the end, no default port), or `*` alone"
)

Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
Minutes = Annotated[float, Field(gt=0, le=10_000_000)]
Days = Annotated[float, Field(gt=0, le=3650)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


def _named(variable: str, default: Any) -> Any:  # noqa: ANN401  (of any field)
    """Give a setting a variable of its own name."""
    return Field(default, validation_alias=variable)


class Settings(BaseSettings):
    """Every setting of every process; a bad value stops the start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, populate_by_name=True
    )

    database_url: str = ""
    broker_url: str = EMBEDDED_BROKER
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    data_dir: Path = Path("data")
    bootstrap_key: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{16,256}$")] | None = None
    agents_file: Path | None = None
    namespace: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "inturn"
    log_level: Annotated[str, StringConstraints(pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

    lease_seconds: Seconds = 30
    heartbeat_seconds: Seconds = 10
    sweep_seconds: Seconds = 5
    slots: Annotated[int, Field(ge=1, le=10_000)] = 200
    admission_threads: Annotated[int, Field(ge=1, le=1_000)] = 64
    drain_seconds: Seconds = 30
    watchdog_seconds: Seconds = 60
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    max_wait_hours: Annotated[float, Field(gt=0, le=8760)] = 24
    run_timeout_seconds: Seconds = 600
    sync_wait_seconds: Seconds = 120
    batch_max: Annotated[int, Field(ge=1, le=1_000)] = 200
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0

    max_body_bytes: Count = 2 * 1024 * 1024
    max_upload_bytes: Annotated[int, Field(ge=1, le=10 << 30)] = 32 * 1024 * 1024
    max_content_chars: Count = 32_000
    max_queued_per_session: Count = 100
    max_queued_per_principal: Count = 100_000
    max_queued: Count = 1_000_000
    rate_limit: str = "off"
    session_rate_limit: str = "off"
    user_rate_limit: str = "off"

    scripted_agent: bool = False
    anonymous_elizaos: bool | None = None
    allow_private_urls: bool = False
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    jwt_secret: str | None = None
    jwt_jwks_file: Path | None = None
    jwt_audience: str = "authenticated"
    jwt_issuer: str | None = None
    event_retention_seconds: Seconds = 3600
    delivery_retention_days: Days = 30
    worker_retention_days: Days = 30
    expired_visible_hours: Annotated[float, Field(ge=0, le=8760)] = 24

    # The ElizaOS contract's own names, without our prefix.
    session_default_timeout_minutes: Minutes = _named("SESSION_DEFAULT_TIMEOUT_MINUTES", 30)
    session_min_timeout_minutes: Minutes = _named("SESSION_MIN_TIMEOUT_MINUTES", 5)
    session_max_timeout_minutes: Minutes = _named("SESSION_MAX_TIMEOUT_MINUTES", 1440)
    session_max_duration_minutes: Minutes = _named("SESSION_MAX_DURATION_MINUTES", 720)
    session_warning_threshold_minutes: Minutes = _named("SESSION_WARNING_THRESHOLD_MINUTES", 5)
    session_cleanup_interval_minutes: Minutes = _named("SESSION_CLEANUP_INTERVAL_MINUTES", 5)
    clear_sessions_on_shutdown: bool = _named("CLEAR_SESSIONS_ON_SHUTDOWN", default=False)

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, value: str | None) -> str | None:
        if value is not None and len(value.encode()) < _SECRET_BYTES:
            message = f"at least {_SECRET_BYTES} bytes, as HS256 asks for"
            raise ValueError(message)
        return value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        origins = tuple(filter(None, map(str.strip, value.split(","))))
        if origins != ("*",) and not all(map(_ORIGIN.fullmatch, origins)):
            raise ValueError(_ORIGINS)
        return origins

    @property
    def database(self) -> str:
        """The SQLAlchemy URL; by default SQLite in the data directory."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.absolute()}/inturn.db"

    @property
    def sqlite(self) -> bool:
        """One process owns the database."""
        return self.database.startswith("sqlite")

    @property
    def embedded(self) -> bool:
        """The broker lives in this process."""
        return self.broker_url.startswith("embedded:")


_OF_THEIR_OWN = {field.validation_alias for field in Settings.model_fields.values()}


def variable(name: str) -> str:
    """Name the variable of a setting."""
    return name.upper() if name.upper() in _OF_THEIR_OWN else PREFIX + name.upper()


def unknown_names() -> list[tuple[str, str | None]]:
    """List `INTURN_` variables that mean nothing here, each with the nearest known name."""
    known = {PREFIX + name.upper(): variable(name) for name in Settings.model_fields}
    unknown = sorted(
        name for name in os.environ if name.startswith(PREFIX) and name.upper() not in known
    )
    nearest = [difflib.get_close_matches(name, known, 1) for name in unknown]
    return [
        (name, known[near[0]] if near else None)
        for name, near in zip(unknown, nearest, strict=True)
    ]
