"""Powabase: what makes no sense is refused, in its words, and nothing of it is stored."""

import pytest
from starlette.types import ASGIApp

from shared.bootstrap import Platform
from shared.domain.paging import Page
from shared.domain.principal import Principal
from shared.domain.requests import RunFilter
from shared.settings import Settings
from tests.api.caller import Caller, Json
from tests.api.listener import listening
from tests.api.powabase import ECHO, opened

ASKED = {"message": "hi"}
UNBUILT = "is not supported yet; leave it out"
NO_SESSION = "404 Session not found"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"sync_wait_seconds": 0.01})


@pytest.mark.parametrize("verb", ["run", "run/stream"])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "400 message is required"),
        ({}, "400 message is required"),
        ({"message": None}, "400 message is required"),
        ({"message": " \n"}, "400 message is required"),
        ({"message": ["hi"]}, "400 message is required"),
        ({"message": "x" * 32_001}, "400 message must be at most 32000 characters"),
        (ASKED | {"session_id": 5}, "400 session_id must be a string"),
        (ASKED | {"session_id": "x" * 256}, "400 session_id must be at most 255 characters"),
        (ASKED | {"session_id": "x" * 255}, NO_SESSION),
        (ASKED | {"session_id": ""}, NO_SESSION),
        (ASKED | {"session_id": f"sess_{'0' * 32}"}, NO_SESSION),
        (ASKED | {"session_id": f"run_{'0' * 32}"}, NO_SESSION),
        (ASKED | {"reasoning_requested": "yes"}, "400 reasoning_requested must be a boolean"),
        (ASKED | {"timeout_seconds": 0}, "400 timeout_seconds must be a number from 1 to 300"),
        (ASKED | {"timeout_seconds": 301}, "400 timeout_seconds must be a number from 1 to 300"),
        (ASKED | {"timeout_seconds": True}, "400 timeout_seconds must be a number from 1 to 300"),
        (ASKED | {"temperature": 2.1}, "400 temperature must be a number from 0 to 2"),
        (ASKED | {"response_format": "json"}, "400 response_format must be an object"),
        (
            ASKED | {"response_format": {"x": "x" * 65_536}},
            "400 response_format must be at most 65536 bytes as JSON",
        ),
        (ASKED | {"max_context_tokens": 1.5}, "400 max_context_tokens must be an integer"),
        (ASKED | {"citations_enabled": 1}, "400 citations_enabled must be a boolean"),
        (ASKED | {"knowledge_bases": [{"id": "k"}]}, f"400 knowledge_bases {UNBUILT}"),
        (ASKED | {"context_override": "Bonn"}, f"400 context_override {UNBUILT}"),
        (ASKED | {"context_items": [{"text": "Bonn"}]}, f"400 context_items {UNBUILT}"),
        (ASKED | {"context_handler_id": "h"}, "404 Context handler not found"),
        (
            ASKED | {"knowledge_bases": [{"id": "k"}], "context_override": "Bonn"},
            "400 Only one context source may be given: knowledge_bases, context_override",
        ),
        (
            ASKED | {"context_handler_id": "h", "context_items": [{"text": "Bonn"}]},
            "400 Only one context source may be given: context_items, context_handler_id",
        ),
    ],
)
async def test_a_run_that_makes_no_sense(service: Caller, verb: str, body: Json, told: str) -> None:
    assert await service.refused("POST", f"{ECHO}/{verb}", body) == told
    assert (await service.ok("GET", f"{ECHO}/sessions"))["total"] == 0


async def test_sources_that_only_a_stream_takes(service: Caller) -> None:
    body = ASKED | {"runtime_knowledge_bases": [{"id": "k"}]}
    only = "400 runtime_knowledge_bases is only supported by run/stream"
    assert await service.refused("POST", f"{ECHO}/run", body) == only
    unbuilt = f"400 runtime_knowledge_bases {UNBUILT}"
    assert await service.refused("POST", f"{ECHO}/run/stream", body) == unbuilt


async def test_what_is_for_a_model_is_kept_and_what_asks_for_nothing_is_taken(
    app: ASGIApp, service: Caller, platform: Platform, owner: Principal
) -> None:
    body = (
        b'{"message": "hi", "temperature": 0.5, "response_format": {"type": "json_object"},'
        b' "max_context_tokens": 9, "citations_enabled": true, "knowledge_bases": [],'
        b' "context_override": "", "context_handler_id": null, "nobody": "knows"}'
    )
    async with listening(app, service.key, f"{ECHO}/run/stream", body) as listener:
        await listener.until_said('"start"')
    assert listener.status == 200
    [run] = (await platform.runs.list(owner, RunFilter(), Page())).data
    assert run.origin == "powabase"
    assert run.options == {
        "temperature": 0.5, "response_format": {"type": "json_object"},
        "max_context_tokens": 9, "citations_enabled": True,
    }  # fmt: skip


async def test_an_agent_s_session_of_another_agent_is_none(service: Caller, admin: Caller) -> None:
    session = await opened(service)
    other = await admin.ok("POST", "/api/agents", {"name": "other"})
    body = ASKED | {"session_id": session}
    for verb in ("run", "run/stream"):
        url = f"/api/agents/{other['id']}/{verb}"
        assert await service.refused("POST", url, body) == NO_SESSION
    assert (await service.ok("GET", f"/api/sessions/{session}/runs"))["runs"] == []


@pytest.mark.parametrize("agent", ["echo", "0", "agent_1", "0" * 32, f"run_{'0' * 32}"])
async def test_an_agent_that_nobody_knows(service: Caller, agent: str) -> None:
    url = f"/api/agents/{agent}"
    for method, path, body in (
        ("GET", url, None),
        ("GET", f"{url}/sessions", None),
        ("POST", f"{url}/sessions", {}),
        ("POST", f"{url}/run", ASKED),
        ("POST", f"{url}/run/stream", ASKED),
    ):
        assert await service.refused(method, path, body) == "404 Agent not found"


def said(*contents: Json) -> list[Json]:
    roles = ("user", "assistant") * len(contents)
    return [{"role": role, "content": each} for role, each in zip(roles, contents, strict=False)]


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ("hi", "initial_messages must be a list"),
        (said("a"), "initial_messages must have an even number of messages"),
        (said(*"ab" * 101), "initial_messages must have at most 200 messages"),
        ([*said("a"), 5], "initial_messages[1] must be an object"),
        (said("a", "b")[::-1], "initial_messages[0].role must be 'user'"),
        (said("a")[:1] * 2, "initial_messages[1].role must be 'assistant'"),
        (said("a", " "), "initial_messages[1].content must be a non-empty string"),
        (said("a", 5), "initial_messages[1].content must be a non-empty string"),
        (
            said("a", "b", "x" * 20_001, "c"),
            "initial_messages[2].content must be at most 20000 characters",
        ),
        (
            [{"role": "user", "content": "a", "name": "x"}, *said("a", "b")[1:]],
            "initial_messages[0] has an unknown field: name",
        ),
    ],
)
async def test_a_beginning_that_makes_no_sense(service: Caller, messages: Json, told: str) -> None:
    body = {"initial_messages": messages}
    assert await service.refused("POST", f"{ECHO}/sessions", body) == f"400 {told}"
    assert (await service.ok("GET", f"{ECHO}/sessions"))["total"] == 0


async def test_a_user_that_makes_no_sense(service: Caller) -> None:
    told = "400 user_id must be a string of 1 to 255 characters"
    for user in (5, "", "x" * 256, ["ada"]):
        assert await service.refused("POST", f"{ECHO}/sessions", {"user_id": user}) == told


async def test_a_decision_that_makes_no_sense(service: Caller) -> None:
    nothing = "404 Run not found or not waiting for approval"
    late = await service.call("POST", f"{ECHO}/run", ASKED)
    for run in (late.json()["run_id"], f"run_{'0' * 32}", "x"):
        url = f"/api/agents/runs/{run}/approve"
        assert await service.refused("POST", url, {"approved": True}) == nothing
        for body in (None, {}, {"approved": None}, {"approved": "yes"}):
            told = await service.refused("POST", url, body)
            assert told == "400 approved must be a boolean"


async def test_what_no_route_takes(service: Caller) -> None:
    for method, path, told in (
        ("GET", "/api/sessions", "404 No route has this path."),
        ("GET", "/api", "404 No route has this path."),
        ("GET", "/api/nothing/at/all", "404 No route has this path."),
        ("PUT", "/api/agents", "405 This route does not take this method."),
        ("GET", f"/api/sessions/{'x' * 256}", "400 session_id must be at most 255 characters"),
        ("GET", "/api/sessions/%00", "400 path: contains NUL"),
    ):
        assert await service.refused(method, path) == told, path
    http, key = service.http, {"X-API-Key": service.key}
    url = f"{ECHO}/run"
    for content, kind, status in (
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"message": "\\u0000"}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b'{"message": "%s"}' % (b"x" * 100_000), "application/json", 413),
    ):
        response = await http.post(url, content=content, headers=key | {"content-type": kind})
        assert (response.status_code, list(response.json())) == (status, ["error"])
