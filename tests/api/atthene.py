"""A client of the Atthene contract, in the few words its tests need."""

import asyncio
from typing import Any

import httpx
import sqlalchemy as sa

from shared.bootstrap import Platform
from shared.clock import SECOND
from shared.domain.agent import agent_id_of
from shared.domain.event import Said
from shared.domain.execution import Settlement
from shared.domain.message import Reply
from shared.domain.outcome import Outcome, Succeeded
from shared.domain.paging import Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import RunFilter
from shared.domain.run import RunStatus
from shared.ids import SessionId, parse
from shared.storage.schema import run_details
from tests.api.caller import Caller
from tests.api.performer import Performer

Body = dict[str, Any]

SESSIONS, RUNTIME = "/api/v1/sessions/", "/api/v1/runtime/"
ECHO = str(agent_id_of("echo"))
EVERYBODY = Principal(tenant="default", user_id=None, scope=Scope.ADMIN)
YES = Succeeded(reply=Reply(content="yes"))


async def opened(caller: Caller, agent: str = "echo") -> str:
    """Open a session with an agent that is there."""
    made: Body = await caller.ok("POST", f"{SESSIONS}from-agent/{agent}/")
    return str(made["session_id"])


async def configured(caller: Caller, **config: object) -> Body:
    """Open a session with an agent of its own."""
    body: Body = {"name": "Own", "agent_type": "echo", **config}
    made: Body = await caller.ok("POST", SESSIONS, body)
    return made


def at(session: str, verb: str) -> str:
    return f"{RUNTIME}{session}/{verb}/"


async def executed(
    caller: Caller,
    platform: Platform,
    session: str,
    body: object = None,
    outcome: Outcome = YES,
    **headers: str,
) -> httpx.Response:
    """Execute a message while a worker ends its run as told."""
    sending = caller.call("POST", at(session, "execute"), body or {"content": "hi"}, **headers)
    response, _ = await asyncio.gather(sending, end_next(platform, session, outcome))
    return response


async def end_next(
    platform: Platform, session: str, outcome: Outcome = YES, said: Said | None = None
) -> None:
    """Wait for the session's next run, then end it; `said` are its events, if there are any."""
    session_id = SessionId(parse("sess", session))
    filters = RunFilter(session_id=session_id, status=RunStatus.QUEUED)
    async with asyncio.timeout(10):
        while not (found := (await platform.runs.list(EVERYBODY, filters, Page(limit=1))).data):
            pass
    performer, run = Performer(platform), f"run_{found[0].id.hex}"
    await performer.start(run)
    claim = performer.claims[run]
    settlement = Settlement(
        run_id=claim.run_id,
        session_id=claim.session_id,
        fence=claim.fence,
        outcome=outcome,
        said=said,
    )
    assert (await platform.execution.settle(settlement)).accepted


def problem(response: httpx.Response) -> tuple[int, str, str]:
    """What went wrong."""
    error = response.json()["error"]
    return response.status_code, error["type"], error["message"]


def wait(platform: Platform, seconds: float) -> None:
    """Move the database's clock."""
    platform.execution._store.offset += round(seconds * SECOND)  # noqa: SLF001


async def inputs_of(platform: Platform, execution: str) -> object:
    """What the agent of a run was told beside the message."""
    query = sa.select(run_details.c.inputs).where(run_details.c.run_id == parse("run", execution))
    async with platform.execution._store.reading() as reading:  # noqa: SLF001
        return (await reading.execute(query)).scalar_one_or_none()
