"""Shapes of the ElizaOS contract: what is read, what is refused, what the agent sees."""

from typing import Any

import pytest

from ingress.dialects.elizaos.wire.attachment import to_attachments, to_block
from ingress.dialects.elizaos.wire.message_request import NewMessage, Transport
from ingress.dialects.elizaos.wire.pagination import LATEST_MILLISECONDS, to_instant, to_limit
from ingress.dialects.elizaos.wire.refusal import Refusal
from ingress.dialects.elizaos.wire.session_request import NewSession, to_metadata
from ingress.fields import user_uuid
from shared.domain.lifetime import Expiry
from shared.domain.principal import Principal, Scope

AGENT, USER = "0198c0de-5e55-7c0d-e000-0000c0ffee01", "0198C0DE-5E55-7C0D-E000-0000C0FFEE02"


def refusal_of(body: dict[str, Any]) -> Refusal:
    with pytest.raises(Refusal) as refused:
        NewSession.model_validate(body).checked()
    return refused.value


def test_what_is_missing_is_missed_before_anything_else() -> None:
    bodies: list[dict[str, Any]] = [
        {},
        {"agentId": "x"},
        {"userId": USER},
        {"agentId": "", "userId": USER},
        {"agentId": AGENT, "userId": None},
    ]
    for body in bodies:
        refusal = refusal_of(body)
        assert refusal.detail == "Missing required fields: agentId, userId"
        assert refusal.details == {"missingFields": ["agentId", "userId"]}


def test_an_id_is_a_uuid_of_any_version() -> None:
    wrongs: list[object] = ["nonsense", AGENT.replace("-", ""), AGENT + "0", 5, [], {}, True]
    for wrong in wrongs:
        for field in ("agentId", "userId"):
            refusal = refusal_of({"agentId": AGENT, "userId": USER, field: wrong})
            assert refusal.detail == f"Invalid UUID format for field '{field}'"
            assert (refusal.details or {})["providedValue"] == wrong
    for right in ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-1fff-0fff-ffffffffffff"):
        asked = NewSession(agentId=right, userId=right.upper()).checked()
        assert (asked.agent, asked.user) == (right, right)
    assert (
        NewSession(agentId="agent_" + AGENT.replace("-", ""), userId=USER).checked().agent == AGENT
    )


def test_who_is_named_by_a_uuid_is_meant_by_it() -> None:
    def opened(principal: Principal, user: str) -> str | None:
        asked = NewSession(agentId=AGENT, userId=user).checked()
        new = asked.to_domain(principal, Expiry(timeout_minutes=5), "c")
        assert (new.agent, new.origin, new.correlation_id) == (AGENT, "elizaos", "c")
        return new.user_id

    def user(user_id: str) -> Principal:
        return Principal(tenant="t", user_id=user_id, scope=Scope.USER)

    service = Principal(tenant="t", user_id=None, scope=Scope.SERVICE)
    assert opened(service, USER) == USER.lower()
    assert opened(user(USER), USER.lower()) == USER
    assert opened(user("ada"), str(user_uuid("ada"))) == "ada"
    assert opened(user("ada"), USER) == USER.lower()


def test_metadata_is_measured_in_bytes() -> None:
    assert to_metadata(None) == {}
    assert to_metadata({"x": "\u00e9" * 5115}) == {"x": "\u00e9" * 5115}
    wrongs: list[object] = [{"x": "\u00e9" * 5117}, [], "x", 5, True, ""]
    for wrong in wrongs:
        with pytest.raises(Refusal) as refused:
            to_metadata(wrong)
        assert refused.value.detail.startswith("Invalid metadata: ")
        assert (refused.value.details or {})["providedMetadata"] == wrong


def test_transports_have_old_names() -> None:
    for asked, transport in {
        (None, None): Transport.WEBSOCKET,
        ("http", None): Transport.HTTP,
        ("sync", None): Transport.HTTP,
        ("sse", "sync"): Transport.SSE,
        ("stream", None): Transport.SSE,
        ("websocket", 5): Transport.WEBSOCKET,
        (None, "sync"): Transport.HTTP,
        (None, "stream"): Transport.SSE,
        (None, "websocket"): Transport.WEBSOCKET,
    }.items():
        given, mode = asked
        assert NewMessage(content="x", transport=given, mode=mode).asked() is transport


def test_a_transport_is_judged_before_the_content() -> None:
    def complaint(**body: object) -> str:
        with pytest.raises(Refusal) as refused:
            NewMessage(**body).asked()
        return refused.value.detail

    assert complaint(transport="fax").startswith("Invalid transport 'fax'")
    assert complaint(transport="").startswith("Invalid transport ''")
    assert complaint(mode="fax").startswith("Invalid transport")
    assert complaint(transport=5) == "Transport must be a string"
    assert complaint(transport=None, mode=False) == "Transport must be a string"
    assert complaint() == complaint(content=5) == "Invalid content: must be a string"


def test_a_limit_is_never_refused() -> None:
    given = [None, "", "x", "0", "-5", "1", "99", "100", "101", "9" * 30, "7.9", "12abc"]
    assert [to_limit(each) for each in given] == [50, 50, 50, 1, 1, 1, 99, 100, 100, 100, 7, 12]


def test_a_cursor_is_milliseconds_or_a_date_time() -> None:
    assert to_instant("before", None) is None
    assert to_instant("before", "1767225600123") == 1_767_225_600_123_000
    assert to_instant("before", "2026-01-01T00:00:00.123Z") == 1_767_225_600_123_000
    assert to_instant("after", "2026-01-01T01:00:00.123456+01:00") == 1_767_225_600_123_000
    assert to_instant("after", str(LATEST_MILLISECONDS)) == LATEST_MILLISECONDS * 1000
    wrongs = (
        "", "x", "-1", "1.5", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z",
        str(LATEST_MILLISECONDS + 1), "9" * 30, "20260101T000000Z", "1767225600123x", "\u0661",
    )  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(Refusal) as refused:
            to_instant("before", wrong)
        assert refused.value.detail.startswith("Invalid pagination parameter 'before': ")
        assert (refused.value.details or {})["value"] == wrong


def test_the_agent_sees_attachments_as_blocks() -> None:
    url = "https://example.org/x"
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"type": "image"}, {"type": "image_url", "image_url": {"url": url}}),
        ({"type": "audio", "mimeType": "audio/ogg"},
         {"type": "audio", "url": url, "media_type": "audio/ogg"}),
        ({"type": "video", "name": "v"}, {"type": "file", "url": url, "name": "v"}),
        ({"type": "document", "mimeType": "x y"}, {"type": "file", "url": url}),
        ({"type": "file", "name": 5, "size": 7}, {"type": "file", "url": url}),
    ]  # fmt: skip
    for given, block in cases:
        [kept] = to_attachments([given | {"url": url}])
        assert kept == given | {"url": url}
        assert to_block(kept) == block


def test_what_is_no_attachment_is_refused() -> None:
    right = {"type": "image", "url": "data:image/png;base64,AA=="}
    assert to_attachments(None) == ()
    assert len(to_attachments([right] * 20)) == 20
    wrongs: list[object] = [
        {}, "x", 5, [right] * 21, [5], [right, {}], [right | {"type": "fax"}],
        [right | {"type": []}], [right | {"url": None}], [right | {"url": "file:///etc/passwd"}],
    ]  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(Refusal):
            to_attachments(wrong)
