"""A conversation in each dialect: opened, said and read in its own words."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from shared.domain.agent import agent_id_of
from shared.domain.principal import Principal
from shared.ids import SessionId, new_id, parse
from tests.api.caller import Caller, Json
from tests.api.performer import Performer

AGENT = agent_id_of("echo")
Line = tuple[str, str]  # who, and what


@dataclass(frozen=True, kw_only=True)
class Tongue:
    """One dialect, as its clients use it; sessions go by their id, whoever spelled it."""

    name: str
    open: Callable[[Caller], Awaitable[SessionId]]
    say: Callable[[Caller, SessionId, str], Awaitable[str]]  # returns the answer
    read: Callable[[Caller, SessionId], Awaitable[list[Line]]]

    def __str__(self) -> str:
        return self.name


def typed(session_id: SessionId) -> str:
    return f"sess_{session_id.hex}"


def an_id(printed: str) -> SessionId:
    return SessionId(parse("sess", printed))


async def talk(
    tongue: Tongue,
    caller: Caller,
    performer: Performer,
    principal: Principal,
    session_id: SessionId,
    *lines: Line,
) -> None:
    """Say something and be answered, as often as there are lines."""
    for said, answer in lines:
        heard, _ = await asyncio.gather(
            tongue.say(caller, session_id, said), performer.answer_next(principal, answer)
        )
        assert heard == answer, tongue


async def _open_native(caller: Caller) -> SessionId:
    return an_id((await caller.ok("POST", "/v1/sessions", {"agent": "echo"}))["id"])


async def _say_native(caller: Caller, session_id: SessionId, text: str) -> str:
    url = f"/v1/sessions/{typed(session_id)}/messages"
    told = await caller.ok("POST", url, {"content": text}, Prefer="wait=10")
    return str(told["run"]["output"]["content"])


async def _read_native(caller: Caller, session_id: SessionId) -> list[Line]:
    url = f"/v1/sessions/{typed(session_id)}/messages"
    listed = (await caller.ok("GET", url))["data"]
    return [(each["role"], each["content"]) for each in listed]


async def _open_elizaos(caller: Caller) -> SessionId:
    new = {"agentId": str(AGENT), "userId": str(new_id())}
    return an_id((await caller.ok("POST", "/api/messaging/sessions", new))["sessionId"])


async def _say_elizaos(caller: Caller, session_id: SessionId, text: str) -> str:
    url = f"/api/messaging/sessions/{session_id}/messages"
    told = await caller.ok("POST", url, {"content": text, "transport": "http"})
    return str(told["agentResponse"]["text"])


async def _read_elizaos(caller: Caller, session_id: SessionId) -> list[Line]:
    url = f"/api/messaging/sessions/{session_id}/messages?limit=100"
    listed = (await caller.ok("GET", url))["messages"]
    return [("assistant" if each["isAgent"] else "user", each["content"]) for each in listed[::-1]]


async def _open_powabase(caller: Caller) -> SessionId:
    made = await caller.ok("POST", f"/api/agents/{AGENT}/sessions", {})
    return an_id(made["session_id"])


async def _say_powabase(caller: Caller, session_id: SessionId, text: str) -> str:
    session = await caller.ok("GET", f"/api/sessions/{session_id}")
    new = {"message": text, "session_id": typed(session_id)}
    told = await caller.ok("POST", f"/api/agents/{session['agent_id']}/run", new)
    assert told["status"] == "completed"
    return str(told["content"])


async def _read_powabase(caller: Caller, session_id: SessionId) -> list[Line]:
    listed = (await caller.ok("GET", f"/api/sessions/{typed(session_id)}/messages"))["messages"]
    return [(each["role"], each["content"]) for each in listed]


async def _open_atthene(caller: Caller) -> SessionId:
    made = await caller.ok("POST", f"/api/v1/sessions/from-agent/{AGENT}/")
    return an_id(made["session_id"])


async def _open_configured(caller: Caller) -> SessionId:
    """With an agent of its own, which no contract lists."""
    made = await caller.ok("POST", "/api/v1/sessions/", {"name": "desk", "agent_type": "echo"})
    return an_id(made["session_id"])


async def _say_atthene(caller: Caller, session_id: SessionId, text: str) -> str:
    url = f"/api/v1/runtime/{typed(session_id)}/execute/"
    told: Json = await caller.ok("POST", url, {"content": text})
    assert told["success"]
    return str(told["response"]["content"])


async def _read_atthene(caller: Caller, session_id: SessionId) -> list[Line]:
    url = f"/api/v1/runtime/{typed(session_id)}/messages/"
    listed = (await caller.ok("GET", url))["messages"]
    return [(each["role"], each["content"]) for each in listed]


NATIVE = Tongue(name="native", open=_open_native, say=_say_native, read=_read_native)
ELIZAOS = Tongue(name="elizaos", open=_open_elizaos, say=_say_elizaos, read=_read_elizaos)
POWABASE = Tongue(name="powabase", open=_open_powabase, say=_say_powabase, read=_read_powabase)
ATTHENE = Tongue(name="atthene", open=_open_atthene, say=_say_atthene, read=_read_atthene)
TONGUES = (NATIVE, ELIZAOS, POWABASE, ATTHENE)
CONFIGURED = replace(ATTHENE, name="atthene-configured", open=_open_configured)
