"""What callers do to sessions that live for a while, as the tests say it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from unittest import mock

from shared.clock import SECOND
from shared.domain.lifetime import Expiry, Wish
from shared.domain.living import Living
from shared.domain.principal import DEFAULT_TENANT, Principal, Scope
from shared.domain.session import Session
from shared.ids import RunId, SessionId
from tests.platforms import House

MINUTE, HOUR = 60, 3600
USUAL = Expiry(
    timeout_minutes=30, auto_renew=True, max_duration_minutes=720, warning_threshold_minutes=5
)
STEADY = replace(USUAL, auto_renew=False)
SOMEBODY = Principal(tenant=DEFAULT_TENANT, user_id="somebody", scope=Scope.USER)

Verb = Callable[[House, SessionId], Awaitable[object]]


async def get(house: House, session_id: SessionId) -> Living:
    return await house.platform.lifetimes.get(house.me, session_id)


async def renew(house: House, session_id: SessionId) -> Living:
    return await house.platform.lifetimes.renew(house.me, session_id)


async def heartbeat(house: House, session_id: SessionId) -> Living:
    return await house.platform.lifetimes.heartbeat(house.me, session_id)


async def reschedule(house: House, session_id: SessionId) -> Living:
    return await house.platform.lifetimes.reschedule(house.me, session_id, Wish())


async def say(house: House, session_id: SessionId) -> object:
    return await house.post(await house.platform.sessions.get(house.me, session_id), in_time=True)


async def end(house: House, session_id: SessionId) -> None:
    await house.platform.lifetimes.end(house.me, session_id)


VERBS: list[Verb] = [get, renew, heartbeat, reschedule, say]


@dataclass(frozen=True)
class Heard:
    """What signals said: sessions that moved, runs whose worker is told to stop."""

    moved: list[SessionId] = field(default_factory=list)
    told: list[RunId] = field(default_factory=list)


@contextmanager
def hearing(house: House) -> Iterator[Heard]:
    """Listen to this process's signals."""
    heard, signals = Heard(), house.platform.signals
    with (
        mock.patch.object(signals, "moved", heard.moved.append),
        mock.patch.object(signals, "cancel_requested", heard.told.append),
    ):
        yield heard


def left(living: Living) -> float:
    """Minutes between the beginning and the end."""
    return (living.lifetime.expires_at - living.session.created_at) / (MINUTE * SECOND)


def active(session: Session) -> float:
    """Minutes between the beginning and the last activity."""
    return (session.last_activity_at - session.created_at) / (MINUTE * SECOND)
