"""ElizaOS: whatever goes wrong is told in one shape, and nothing of it is stored."""

import json

import httpx
import pytest

from shared.bootstrap import Platform
from shared.domain.errors import Overloaded, Unavailable
from shared.settings import Settings
from tests.api.caller import Caller, document, outcome
from tests.api.eliza import ADA, ECHO, NOBODY, SESSIONS, at, opened, problem, sent

NEW = {"agentId": ECHO, "userId": ADA}


async def test_what_no_route_takes_is_not_found(http: httpx.AsyncClient, service: Caller) -> None:
    nobody = Caller(http, "a-key-that-nobody-has")
    for method, url in (
        ("GET", "/api/messaging"), ("GET", "/api/messaging/nothing"), ("PUT", SESSIONS),
        ("DELETE", SESSIONS), ("POST", f"{SESSIONS}/{NOBODY}"), ("PUT", f"{SESSIONS}/{NOBODY}"),
        ("GET", f"{SESSIONS}/{NOBODY}/renew"), ("GET", f"{SESSIONS}/a/b/c"),
        ("PATCH", f"{SESSIONS}/{NOBODY}/messages"), ("POST", "/api/messaging/jobs"),
        ("BREW", SESSIONS),
    ):  # fmt: skip
        for caller in (nobody, service):
            assert await caller.refused(method, url) == "404 NOT_FOUND", url


async def test_a_trailing_slash_is_no_difference(service: Caller) -> None:
    session = await service.ok("POST", f"{SESSIONS}/", NEW)
    assert (await service.ok("GET", f"{SESSIONS}/"))["total"] == 1
    assert (await service.ok("POST", f"{at(session)}/renew/"))["renewalCount"] == 1


@pytest.mark.parametrize("anonymous", [True, False])
async def test_a_key_that_is_sent_is_always_checked(
    anonymous: bool,
    http: httpx.AsyncClient,
    platform: Platform,
    settings: Settings,
    service: Caller,
) -> None:
    object.__setattr__(
        platform, "settings", settings.model_copy(update={"anonymous_elizaos": anonymous})
    )
    nobody, wrong = Caller(http, ""), Caller(http, "a-key-that-nobody-has")
    theirs = await opened(service)
    calls = (
        ("GET", SESSIONS), ("POST", SESSIONS), ("GET", at(theirs)), ("DELETE", at(theirs)),
        ("POST", f"{at(theirs)}/messages"), ("GET", f"{at(theirs)}/messages"),
        ("POST", f"{at(theirs)}/renew"), ("POST", f"{at(theirs)}/heartbeat"),
        ("PATCH", f"{at(theirs)}/timeout"),
    )  # fmt: skip
    for method, url in calls:
        response = await wrong.call(method, url)
        assert outcome(response) == "401 UNAUTHORIZED"
        assert response.headers["www-authenticate"] == 'Bearer realm="inturn"'
        if not anonymous:
            assert await nobody.refused(method, url) == "401 UNAUTHORIZED"
    if anonymous:
        own = await opened(nobody)
        assert (await sent(nobody, own))["success"] is True
        listed = (await nobody.ok("GET", SESSIONS))["sessions"]
        assert own["sessionId"] in {each["sessionId"] for each in listed}
        assert theirs["sessionId"] not in {each["sessionId"] for each in listed}
        assert await nobody.refused("GET", at(theirs)) == "404 SESSION_NOT_FOUND"
        assert await service.refused("GET", at(own)) == "404 SESSION_NOT_FOUND"
        assert await nobody.refused("GET", "/v1/sessions") == "401 unauthenticated"


RAW = [
    (b'{"a":', "400 VALIDATION_ERROR"),
    (b"", "400 VALIDATION_ERROR"),
    (b"null", "400 VALIDATION_ERROR"),
    (b"[]", "400 VALIDATION_ERROR"),
    (b'"x"', "400 VALIDATION_ERROR"),
    (b'{"content":"\xff"}', "400 VALIDATION_ERROR"),
    (b'{"content":"a\\u0000b"}', "400 VALIDATION_ERROR"),
    (b'{"content":"a\\ud800b"}', "400 VALIDATION_ERROR"),
    (b'{"content":"x","metadata":{"a\\u0000":1}}', "400 VALIDATION_ERROR"),
    (b'{"content":"x","metadata":{"a":9223372036854775808}}', "400 VALIDATION_ERROR"),
    (b'{"content":"x","metadata":{"a":NaN}}', "400 VALIDATION_ERROR"),
    (b'{"content":"x","metadata":' + b'{"a":' * 70 + b"1" + b"}" * 71, "400 VALIDATION_ERROR"),
    (b"[" * 100_000, "400 VALIDATION_ERROR"),
    (b'{"content":"' + b"x" * 100_000 + b'"}', "413 PAYLOAD_TOO_LARGE"),
]


@pytest.mark.parametrize(("raw", "expected"), RAW)
async def test_a_body_that_cannot_be_read_changes_nothing(
    raw: bytes, expected: str, service: Caller
) -> None:
    session = await opened(service)
    before = await service.ok("GET", f"/v1/sessions/{session['sessionId']}")
    for method, url in (
        ("POST", SESSIONS),
        ("POST", f"{at(session)}/messages"),
        ("PATCH", f"{at(session)}/timeout"),
    ):
        headers = {"X-API-Key": service.key, "Content-Type": "application/json"}
        response = await service.http.request(method, url, content=raw, headers=headers)
        assert outcome(response) == expected, (method, url)
    assert await service.ok("GET", f"/v1/sessions/{session['sessionId']}") == before
    assert (await service.ok("GET", SESSIONS))["total"] == 1


async def test_a_body_says_what_it_is(service: Caller) -> None:
    session = await opened(service)
    for method, url in (
        ("POST", SESSIONS),
        ("POST", f"{at(session)}/messages"),
        ("PATCH", f"{at(session)}/timeout"),
    ):
        for media_type in ("text/plain", "application/x-www-form-urlencoded", ""):
            headers = {"X-API-Key": service.key, "Content-Type": media_type}
            response = await service.http.request(method, url, content=b"{}", headers=headers)
            assert outcome(response) == "400 INVALID_CONTENT_TYPE"
    charset = {"X-API-Key": service.key, "Content-Type": "application/json; charset=utf-8"}
    content = json.dumps(NEW).encode()
    assert (await service.http.post(SESSIONS, content=content, headers=charset)).is_success


async def test_headers_that_cannot_be_kept_are_refused(service: Caller) -> None:
    for name, value in (("Idempotency_Key", "x" * 256), ("X_Correlation_ID", "x" * 129)):
        assert await service.refused("POST", SESSIONS, NEW, **{name: value}) == (
            "400 VALIDATION_ERROR"
        )
    assert (await service.ok("GET", SESSIONS))["total"] == 0


@pytest.mark.parametrize("error", [Unavailable, Overloaded])
async def test_what_is_our_fault_is_told_by_what_was_asked(
    error: type[Unavailable],
    service: Caller,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = await opened(service)

    async def away(*_: object, **__: object) -> None:
        raise error("Come back later.", retry_after=7)

    monkeypatch.setattr(platform.sessions, "create_once", away)
    monkeypatch.setattr(platform.intake, "accept_once", away)
    monkeypatch.setattr(platform.lifetimes, "renew", away)
    response = await service.call("POST", SESSIONS, NEW)
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert problem(response) == {
        "code": "SESSION_CREATION_FAILED",
        "message": "Failed to create session: Come back later.",
        "details": {"originalError": "Come back later."},
    }
    response = await service.call("POST", f"{at(session)}/messages", {"content": "hi"})
    assert response.status_code == 503
    assert problem(response) == {
        "code": "MESSAGE_SEND_FAILED",
        "message": f"Failed to send message in session '{session['sessionId']}': Come back later.",
        "details": {"originalError": "Come back later."},
    }
    response = await service.call("POST", f"{at(session)}/renew")
    assert response.status_code == 503
    assert problem(response) == {"code": "SERVICE_UNAVAILABLE", "message": "Come back later."}


async def test_what_nobody_expected_is_told_without_its_secrets(
    service: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    for service_, verb in (
        (platform.sessions, "create_once"),
        (platform.lifetimes, "living"),
        (platform.lifetimes, "get"),
    ):
        monkeypatch.setattr(service_, verb, broken)
    asked = [
        ("POST", SESSIONS, NEW, "SESSION_CREATION_FAILED"),
        ("GET", SESSIONS, None, "INTERNAL_SERVER_ERROR"),
        ("POST", f"{SESSIONS}/{NOBODY}/messages", {"content": "x"}, "MESSAGE_SEND_FAILED"),
    ]
    for method, url, body, code in asked:
        response = await service.call(method, url, body)
        assert (response.status_code, problem(response)["code"]) == (500, code)
        assert "secret" not in response.text
        assert "An unexpected error occurred" in response.text


async def test_too_much_is_told_as_such(
    service: Caller, platform: Platform, settings: Settings
) -> None:
    session = await opened(service)
    url = f"{at(session)}/messages"
    most = settings.max_queued_per_session
    bounds = platform.intake._bounds  # noqa: SLF001
    object.__setattr__(bounds, "per_session", 2)
    try:
        for _ in range(2):
            await sent(service, session)
        response = await service.call("POST", url, {"content": "hi"})
    finally:
        object.__setattr__(bounds, "per_session", most)
    assert outcome(response) == "429 RATE_LIMIT_EXCEEDED"
    assert int(response.headers["retry-after"]) >= 1


def test_every_route_is_documented() -> None:
    made = document("elizaos")
    assert {
        f"{method.upper()} {path.removeprefix('/api/messaging/sessions')}": sorted(
            each["responses"]
        )
        for path, operations in made["paths"].items()
        for method, each in operations.items()
    } == {
        "POST ": ["201", "400", "401", "403", "404", "413", "500", "503"],
        "GET ": ["200", "400", "401", "500", "503"],
        "GET /health": ["200", "400", "401", "500", "503"],
        "GET /{session_id}": ["200", "400", "401", "404", "410", "500", "503"],
        "DELETE /{session_id}": ["200", "400", "401", "404", "500", "503"],
        "POST /{session_id}/messages": [
            "200", "201", "400", "401", "404", "410", "413", "429", "500", "503",
        ],
        "GET /{session_id}/messages": ["200", "400", "401", "404", "410", "500", "503"],
        "POST /{session_id}/renew": ["200", "400", "401", "404", "410", "422", "500", "503"],
        "POST /{session_id}/heartbeat": ["200", "400", "401", "404", "410", "500", "503"],
        "PATCH /{session_id}/timeout": [
            "200", "400", "401", "404", "410", "413", "500", "503",
        ],
    }  # fmt: skip
    for name in ("NewSession", "NewMessage", "Problem"):
        assert "example" in made["components"]["schemas"][name]
