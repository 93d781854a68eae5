"""What a command says about its settings: one sentence each, secrets never echoed."""

import os

import pytest

from inturn.refused import Refused, without_password
from inturn.start import distributed, read_settings, warnings
from shared.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("INTURN_", "SESSION_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("PORT", "65536", ("INTURN_PORT", "'65536'", "65535")),
        ("PORT", "http", ("INTURN_PORT", "'http'", "integer")),
        ("LOG_LEVEL", "loud", ("INTURN_LOG_LEVEL", "'loud'", "DEBUG, INFO, WARNING or ERROR")),
        ("NAMESPACE", "a b", ("INTURN_NAMESPACE", "'a b'", "letters")),
        ("SLOTS", "0", ("INTURN_SLOTS", "'0'", "1")),
        ("SCRIPTED_AGENT", "maybe", ("INTURN_SCRIPTED_AGENT", "'maybe'", "boolean")),
        ("HEARTBEAT_SECONDS", "30", ("INTURN_HEARTBEAT_SECONDS", "30", "INTURN_LEASE_SECONDS")),
        ("AGENTS_FILE", "/no/such.toml", ("INTURN_AGENTS_FILE", "/no/such.toml", "no such file")),
        ("BROKER_URL", "redis://x", ("INTURN_BROKER_URL", "embedded://", "amqp://")),
        ("RATE_LIMIT", "5", ("INTURN_RATE_LIMIT", "'5'", "`off`", "100/m;burst=20")),
        ("SESSION_RATE_LIMIT", "0/s", ("INTURN_SESSION_RATE_LIMIT", "'0/s'", "a second")),
        ("USER_RATE_LIMIT", "5/s;burst=0", ("INTURN_USER_RATE_LIMIT", "burst of 1 to")),
        ("JWT_JWKS_FILE", "/no/such.json", ("INTURN_JWT_JWKS_FILE", "/no/such.json", "read")),
        *(
            ("CORS_ORIGINS", value, ("INTURN_CORS_ORIGINS", f"'{value}'", "https://app.example"))
            for value in (
                "app.example",
                "https://app.example/",
                "https://app.example/path",
                "https://App.example",
                "https://app.example:443",
                "https://me@app.example",
                "https://app.example:",
                "null",
                "*, https://app.example",
                "https://*.example",
            )
        ),
        ("DATABASE_URL", "mysql://x", ("INTURN_DATABASE_URL", "sqlite", "postgresql+asyncpg://")),
        ("DATABASE_URL", "sqlite+aiosqlite:///:memory:", ("INTURN_DATABASE_URL", "memory")),
        ("DATABASE_URL", "postgresql+asyncpg://h:x/d", ("INTURN_DATABASE_URL", "port")),
    ],
)
def test_a_bad_setting_is_named_with_its_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, parts: tuple[str, ...]
) -> None:
    monkeypatch.setenv(f"INTURN_{name}", value)
    with pytest.raises(Refused) as refused:
        read_settings()
    assert all(part in str(refused.value) for part in parts), str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("SESSION_DEFAULT_TIMEOUT_MINUTES", "soon", ("'soon'", "number")),
        ("SESSION_MIN_TIMEOUT_MINUTES", "0", ("'0'", "greater than 0")),
        ("SESSION_MIN_TIMEOUT_MINUTES", "2000", ("2000", "SESSION_MAX_TIMEOUT_MINUTES (1440)")),
        ("SESSION_MAX_DURATION_MINUTES", "inf", ("'inf'", "10000000")),
        ("SESSION_CLEANUP_INTERVAL_MINUTES", "", ("''", "number")),
        ("CLEAR_SESSIONS_ON_SHUTDOWN", "perhaps", ("'perhaps'", "boolean")),
    ],
)
def test_a_setting_that_has_a_name_of_its_own_is_called_by_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, parts: tuple[str, ...]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Refused) as refused:
        read_settings()
    said = str(refused.value)
    assert said.startswith(f"{name} is ")
    assert all(part in said for part in parts), said
    assert "INTURN_" not in said


def test_minutes_may_be_fractions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_MIN_TIMEOUT_MINUTES", "0.05")
    monkeypatch.setenv("SESSION_MAX_TIMEOUT_MINUTES", "0.05")
    assert read_settings().session_min_timeout_minutes == 0.05
    assert warnings() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOOTSTRAP_KEY", "hush hush"),
        ("JWT_SECRET", "hush, but 31 bytes: too short!!"),
        ("DATABASE_URL", "mysql://me:hush@host/db"),
        ("DATABASE_URL", "postgresql://me:hush@host:port/db"),
        ("BROKER_URL", "redis://me:hush@host"),
    ],
)
def test_a_bad_secret_is_not_echoed(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"INTURN_{name}", value)
    with pytest.raises(Refused) as refused:
        read_settings()
    assert f"INTURN_{name}" in str(refused.value)
    assert "hush" not in str(refused.value)


def test_all_bad_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTURN_PORT", "x")
    monkeypatch.setenv("INTURN_SLOTS", "y")
    with pytest.raises(Refused, match=r"INTURN_PORT.*; INTURN_SLOTS"):
        read_settings()


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTURN_PORT", "9000")
    assert read_settings(port=9001, host=None).port == 9001
    assert read_settings(port=None).port == 9000


def test_origins_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, origins in (
        ("", ()),
        ("*", ("*",)),
        (" https://a.example, ", ("https://a.example",)),
        (
            "http://localhost:5173,https://10.0.0.1,http://[::1]:3000,app://x",
            ("http://localhost:5173", "https://10.0.0.1", "http://[::1]:3000", "app://x"),
        ),
    ):
        monkeypatch.setenv("INTURN_CORS_ORIGINS", text)
        assert read_settings().cors_origins == origins


def test_the_nearest_name_may_have_no_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTURN_SESSION_MIN_TIMEOUTS", "1")
    [said] = warnings()
    assert said.endswith("did you mean SESSION_MIN_TIMEOUT_MINUTES?")


def test_unknown_names_are_warned_of_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INTURN_SLOT", "INTURN_URL", "INTURN_API_KEY", "INTURN_TEST_BROKER_URL"):
        monkeypatch.setenv(name, "1")
    assert warnings() == ["INTURN_SLOT means nothing here; did you mean INTURN_SLOTS?"]


@pytest.mark.parametrize(
    "settings",
    [
        Settings(broker_url="amqp://guest@localhost"),
        Settings(database_url="postgresql+asyncpg://localhost/inturn"),
    ],
)
def test_what_one_process_owns_is_refused_to_many(settings: Settings) -> None:
    with pytest.raises(Refused, match="inturn serve"):
        distributed(settings, "worker")


def test_postgresql_and_rabbitmq_are_for_many() -> None:
    both = {"database_url": "postgresql://h/d", "broker_url": "amqp://h"}
    distributed(Settings(**both), "worker")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql+asyncpg://me:hush@host:1/db?password=hush",
            "postgresql+asyncpg://me@host:1/db",
        ),
        ("postgresql://host/db", "postgresql://host/db"),
        ("sqlite+aiosqlite:////data/inturn.db", "sqlite+aiosqlite:////data/inturn.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
