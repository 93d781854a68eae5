"""ElizaOS messages: sent, seen by the agent, listed page by page."""

from typing import Any

import pytest

from shared.bootstrap import Platform
from shared.domain.message import Reply
from shared.domain.outcome import Succeeded
from shared.domain.paging import Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import MessageFilter
from shared.ids import SessionId, parse
from tests.api.caller import Caller
from tests.api.eliza import ADA, ECHO, NOBODY, SESSIONS, Body, at, opened, problem, sent, wait
from tests.api.performer import Performer

ATTACHMENTS = [
    {"type": "image", "url": "https://example.org/a.png", "size": 5, "alt": "a"},
    {"type": "document", "url": "https://example.org/b.pdf", "mimeType": "application/pdf"},
]


@pytest.fixture
def performer(platform: Platform) -> Performer:
    return Performer(platform)


async def test_a_sent_message_is_printed_for_clients_of_every_age(service: Caller) -> None:
    session = await opened(service, metadata={"platform": "web", "sessionId": "mine"})
    body = await sent(service, session, "Hello", metadata={"platform": "app", "n": 1})
    metadata = {
        "sessionId": session["sessionId"],
        "agentId": ECHO,
        "userId": ADA,
        "timeoutConfig": session["timeoutConfig"],
        "platform": "app",
        "n": 1,
    }
    message = {"content": "Hello", "authorId": ADA, "metadata": metadata}
    flat = {name: body[name] for name in ("id", "content", "authorId", "createdAt", "metadata")}
    assert {name: flat[name] for name in message} == message
    user_message = body["userMessage"]
    assert {name: user_message[name] for name in flat} == flat
    assert user_message["author_id"] == ADA
    assert user_message["channel_id"] == session["sessionId"]
    assert isinstance(user_message["created_at"], int)
    assert body["success"] is True
    assert "agentResponse" not in body
    status = body["sessionStatus"]
    assert (status["renewalCount"], status["wasRenewed"], status["isNearExpiration"]) == (
        1,
        True,
        False,
    )
    assert status["expiresAt"] > session["expiresAt"]
    assert body["data"] == {
        "success": True,
        "userMessage": user_message,
        "sessionStatus": status,
    }
    native = await service.ok("GET", f"/v1/sessions/{session['sessionId']}/messages")
    assert native["data"][0]["metadata"] == {"platform": "app", "n": 1}
    assert native["data"][0]["author_id"] == ADA


async def test_the_agent_sees_attachments_and_callers_get_them_back(
    service: Caller, platform: Platform, tenant: str
) -> None:
    session = await opened(service)
    body = await sent(service, session, "Look!", attachments=ATTACHMENTS)
    assert body["userMessage"]["attachments"] == ATTACHMENTS
    assert body["content"] == "Look!"
    [listed] = (await service.ok("GET", f"{at(session)}/messages"))["messages"]
    assert (listed["content"], listed["attachments"]) == ("Look!", ATTACHMENTS)
    principal = Principal(tenant=tenant, user_id=None, scope=Scope.SERVICE)
    filters = MessageFilter(session_id=SessionId(parse("sess", session["sessionId"])))
    [message] = (await platform.messages.list(principal, filters, Page())).data
    assert message.content == [
        {"type": "text", "text": "Look!"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {
            "type": "file",
            "url": "https://example.org/b.pdf",
            "media_type": "application/pdf",
        },
    ]
    assert message.attachments == tuple(ATTACHMENTS)


async def test_what_is_said_is_checked_before_the_session_and_how_much_after_it(
    service: Caller,
) -> None:
    session = await opened(service)
    early: list[Body] = [
        {}, {"content": None}, {"content": 5}, {"content": ["x"]},
        {"content": "x", "transport": "fax"}, {"content": "x", "transport": 5},
        {"content": 5, "transport": "fax"}, {"content": "x", "mode": "fax"},
    ]  # fmt: skip
    late: list[Body] = [
        {"content": ""}, {"content": "x" * 4001},
        {"content": "x", "metadata": []}, {"content": "x", "metadata": {"x": "x" * 10_240}},
        {"content": "x", "attachments": "x"}, {"content": "x", "attachments": [{}]},
    ]  # fmt: skip
    for wrong in (*early, *late):
        url = f"{at(session)}/messages"
        assert await service.refused("POST", url, wrong) == "400 VALIDATION_ERROR", wrong
        for unknown in (NOBODY, "nonsense"):
            expected = "400 VALIDATION_ERROR" if wrong in early else "404 SESSION_NOT_FOUND"
            url = f"{SESSIONS}/{unknown}/messages"
            assert await service.refused("POST", url, wrong) == expected, wrong
    assert (await service.ok("GET", f"{at(session)}/messages"))["messages"] == []
    assert (await service.ok("GET", at(session)))["renewalCount"] == 0


async def test_refusals_of_messages_have_the_contract_s_words(service: Caller) -> None:
    session = await opened(service)

    async def error(**body: object) -> Any:  # noqa: ANN401
        return problem(await service.call("POST", f"{at(session)}/messages", body))

    assert await error(content=5) == {
        "code": "VALIDATION_ERROR",
        "message": "Invalid content: must be a string",
        "details": {"reason": "must be a string"},
    }
    assert "Invalid transport" in (await error(content="x", transport="fax"))["message"]
    assert "Transport must be a string" in (await error(content="x", transport={}))["message"]
    too_long = await error(content="\U0001f600" * 4001)
    assert too_long["message"] == "Invalid content: 4001 characters; at most 4000 are allowed"
    wrong = await error(content="x", metadata="x")
    assert wrong["message"] == "Invalid metadata: must be an object"
    assert wrong["details"] == {"reason": "must be an object", "providedMetadata": "x"}


async def test_a_message_may_be_just_long_enough(service: Caller) -> None:
    session = await opened(service)
    url = f"{at(session)}/messages"
    for content in ("\U0001f600" * 4000, " ", "\n"):
        body = {"content": content, "author_id": "ignored", "metadata": {"x": "x" * 10_232}}
        assert (await service.ok("POST", url, body))["content"] == content


async def test_answers_are_listed_with_what_was_asked(
    service: Caller, performer: Performer
) -> None:
    session = await opened(service, metadata={"platform": "web"})
    question = await sent(service, session, "Rain?")
    listed = await service.ok("GET", f"/v1/sessions/{session['sessionId']}/runs")
    run = str(listed["data"][0]["id"])
    await performer.start(run)
    reply = Reply(content=[{"type": "text", "text": "No."}], reasoning="looked outside")
    await performer.end(run, Succeeded(reply=reply))
    page = await service.ok("GET", f"{at(session)}/messages")
    answer, asked = page["messages"]
    assert asked == {
        **{name: question[name] for name in ("id", "content", "authorId", "createdAt")},
        "metadata": question["metadata"],
        "isAgent": False,
    }
    assert (answer["content"], answer["isAgent"], answer["authorId"]) == ("No.", True, ECHO)
    assert answer["metadata"] == {"thought": "looked outside"}
    assert page["hasMore"] is False
    assert page["cursors"]["after"] > page["cursors"]["before"]


async def test_history_is_read_page_by_page_both_ways(service: Caller, platform: Platform) -> None:
    session = await opened(service)
    url = f"{at(session)}/messages"
    assert await service.ok("GET", url) == {"messages": [], "hasMore": False}
    for each in "abcde":
        await sent(service, session, each)
        wait(platform, 0.001)

    async def page(query: str) -> tuple[str, bool, Body]:
        body = await service.ok("GET", f"{url}?{query}")
        said = "".join(each["content"] for each in body["messages"])
        return said, body["hasMore"], body.get("cursors", {})

    said, more, newest = await page("limit=2")
    assert (said, more) == ("ed", True)
    said, more, cursors = await page(f"limit=2&before={newest['before']}")
    assert (said, more) == ("cb", True)
    said, more, oldest = await page(f"limit=2&before={cursors['before']}")
    assert (said, more) == ("a", False)
    assert (await page(f"before={oldest['before']}"))[:2] == ("", False)
    said, more, cursors = await page(f"limit=2&after={oldest['after']}")
    assert (said, more) == ("cb", True)
    said, more, cursors = await page(f"limit=2&after={cursors['after']}")
    assert (said, more) == ("ed", False)
    assert (await page(f"after={oldest['after']}&before={newest['after']}"))[:2] == ("dcb", False)
    assert (await page(f"limit=1&after={oldest['after']}&before={newest['after']}"))[:2] == (
        "d",
        True,
    )
    assert (await page("limit=0"))[:2] == ("e", True)
    for unread in ("limit=x", "limit=1000", "limit=", "unknown=1"):
        assert (await page(unread))[:2] == ("edcba", False)
    listed = (await service.ok("GET", url))["messages"]
    assert (await page(f"before={listed[2]['createdAt']}"))[0] == "ba"
    assert (await page(f"after={listed[2]['createdAt']}"))[0] == "ed"


async def test_a_cursor_that_is_no_instant_is_refused(service: Caller) -> None:
    session = await opened(service)
    for name in ("before", "after"):
        for wrong in ("x", "", "-1", "1e3", "2026-01-01", "9" * 17, "8640000000000001"):
            response = await service.call("GET", f"{at(session)}/messages?{name}={wrong}")
            assert response.status_code == 400, wrong
            error = problem(response)
            assert error["code"] == "VALIDATION_ERROR"
            assert error["message"].startswith(f"Invalid pagination parameter '{name}': ")
            reason = error["details"].pop("reason")
            assert error["details"] == {"parameter": name, "value": wrong}
            assert error["message"].endswith(reason)
        unknown = f"{SESSIONS}/{NOBODY}/messages?{name}=x"
        assert await service.refused("GET", unknown) == "404 SESSION_NOT_FOUND"


async def test_a_session_of_another_contract_is_listed_without_its_machinery(
    service: Caller, performer: Performer
) -> None:
    said = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}]
    new = {"agent": "echo", "initial_messages": said, "user_id": "ada"}
    native = await service.ok("POST", "/v1/sessions", new)
    session = await service.ok("GET", f"{SESSIONS}/{native['id']}")
    posted = await service.ok(
        "POST", f"/v1/sessions/{native['id']}/messages", {"content": "And now?"}
    )
    await performer.answer(posted["run"]["id"], "Still.")
    listed = (await service.ok("GET", f"{at(session)}/messages"))["messages"]
    assert [(each["isAgent"], each["content"]) for each in listed] == [
        (True, "Still."), (False, "And now?"), (True, "Yes."), (False, "Hello?"),
    ]  # fmt: skip
    assert {each["authorId"] for each in listed if each["isAgent"]} == {ECHO}
    assert {each["authorId"] for each in listed if not each["isAgent"]} == {session["userId"]}
