"""A client of the ElizaOS contract, in the few words its tests need."""

from datetime import datetime
from typing import Any

import httpx

from shared.bootstrap import Platform
from shared.clock import SECOND
from shared.domain.agent import agent_id_of
from tests.api.caller import Caller

Body = dict[str, Any]

SESSIONS = "/api/messaging/sessions"
ECHO = str(agent_id_of("echo"))
ADA, BOB = (f"0198c0de-0000-4000-8000-00000000{each}" for each in ("0ada", "0b0b"))
NOBODY = "0198c0de-5e55-7c0d-a000-0000c0ffee01"
NIL = "00000000-0000-0000-0000-000000000000"


async def opened(caller: Caller, **more: object) -> Body:
    """Create a session."""
    body: Body = await caller.ok("POST", SESSIONS, {"agentId": ECHO, "userId": ADA, **more})
    return body


async def sent(caller: Caller, session: Body, content: str = "hi", **more: object) -> Body:
    """Send a message."""
    url = f"{at(session)}/messages"
    body: Body = await caller.ok("POST", url, {"content": content, **more})
    return body


def at(session: Body) -> str:
    """Where a session is."""
    return f"{SESSIONS}/{session['sessionId']}"


def problem(response: httpx.Response) -> Body:
    """What went wrong, but for when."""
    error: Body = response.json()["error"]
    assert datetime.fromisoformat(error.pop("timestamp")).tzinfo is not None
    return error


def minutes(session: Body, since: str = "createdAt") -> float:
    """How long it lives from when on."""
    begun, ends = (datetime.fromisoformat(session[each]) for each in (since, "expiresAt"))
    return round((ends - begun).total_seconds() / 60, 2)


def wait(platform: Platform, minutes: float) -> None:
    """Move the database's clock."""
    platform.execution._store.offset += round(minutes * 60 * SECOND)  # noqa: SLF001
