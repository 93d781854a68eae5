import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import PREFIX, Settings, unknown_names


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_without_any_it_is_one_process_on_sqlite_and_loopback() -> None:
    settings = Settings()
    assert (settings.sqlite, settings.embedded) == (True, True)
    assert (settings.host, settings.port, settings.slots) == ("127.0.0.1", 8000, 200)
    assert settings.database == f"sqlite+aiosqlite:///{Path('data').absolute()}/inturn.db"
    assert not settings.scripted_agent


def test_they_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTURN_DATABASE_URL", "postgresql+asyncpg://h/db")
    monkeypatch.setenv("INTURN_BROKER_URL", "amqps://h/")
    monkeypatch.setenv("INTURN_CORS_ORIGINS", "https://a,https://b,")
    monkeypatch.setenv("INTURN_LEASE_SECONDS", "2.5")
    settings = Settings()
    assert (settings.sqlite, settings.embedded) == (False, False)
    assert settings.cors_origins == ("https://a", "https://b")
    assert settings.lease_seconds == 2.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "http"),
        ("SLOTS", "0"),
        ("LEASE_SECONDS", "0"),
        ("LEASE_SECONDS", "nan"),
        ("HEARTBEAT_SECONDS", "-1"),
        ("BATCH_MAX", "0"),
        ("NAMESPACE", "a b"),
        ("LOG_LEVEL", "LOUD"),
        ("BOOTSTRAP_KEY", "short"),
        ("BOOTSTRAP_KEY", "x" * 257),
        ("BOOTSTRAP_KEY", "a key with blanks in it"),
        ("SCRIPTED_AGENT", "maybe"),
    ],
)
def test_a_bad_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ValidationError) as error:
        Settings()
    assert error.value.errors()[0]["loc"] == (name.lower(),)


def test_a_misspelt_name_is_reported_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INTURN_SLOT", "INTURN_QQQQQQQQ", "INTURN_PORT"):
        monkeypatch.setenv(name, "1")
    assert unknown_names() == [("INTURN_QQQQQQQQ", None), ("INTURN_SLOT", "INTURN_SLOTS")]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]
