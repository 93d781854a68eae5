"""One turn with all that can be in it, and its owner, as each contract shows them."""

import asyncio

import pytest

from ingress.fields import user_uuid
from shared.domain.message import Reply, ToolCall
from shared.domain.outcome import Succeeded
from shared.domain.principal import Principal
from shared.ids import SessionId
from tests.api.caller import Caller, Json
from tests.api.performer import Performer
from tests.api.tongues import AGENT, ATTHENE, NATIVE, TONGUES, Tongue, an_id, typed

CITATION: Json = {"key": "1", "source_id": "src_1", "source_name": "rules", "text_excerpt": "24 h"}
CHUNK: Json = {"id": "c1", "text": "within 24 h", "score": 0.9, "included_in_context": True}
REPLY = Reply(
    content="Within a day [1].",
    tool_calls=(
        ToolCall(call_id="call_1", name="look_up", arguments={"order": 1}, result={"hours": 24}),
        ToolCall(call_id="call_2", name="phone", error="nobody answers"),
    ),
    citations=(CITATION,),
    retrieved_context=(CHUNK,),
    usage={"input_tokens": 3, "output_tokens": 4},
    reasoning="They want to know.",
)
ASKED = "When does it come?"


@pytest.fixture
async def told(service: Caller, performer: Performer) -> tuple[SessionId, str]:
    """A session with one turn, and its run."""
    session_id = await NATIVE.open(service)
    posted = await service.ok(
        "POST", f"/v1/sessions/{typed(session_id)}/messages", {"content": ASKED}
    )
    run_id = str(posted["run"]["id"])
    await performer.start(run_id)
    await performer.end(run_id, Succeeded(reply=REPLY))
    return session_id, run_id


async def test_a_turn_is_said_alike_in_all(service: Caller, told: tuple[SessionId, str]) -> None:
    for tongue in TONGUES:
        assert await tongue.read(service, told[0]) == [
            ("user", ASKED),
            ("assistant", REPLY.content),
        ]


async def test_a_turn_in_the_native_contract(service: Caller, told: tuple[SessionId, str]) -> None:
    url = f"/v1/sessions/{typed(told[0])}/messages?include=tools,reasoning,retrieved_context"
    asked, looked_up, phoned, answer = (await service.ok("GET", url))["data"]
    assert (asked["role"], looked_up["role"], phoned["role"]) == ("user", "tool", "tool")
    assert looked_up["tool"]["result"] == {"hours": 24}
    assert phoned["tool"]["error"] == "nobody answers"
    assert (answer["citations"], answer["reasoning"]) == ([CITATION], REPLY.reasoning)


async def test_a_turn_in_elizaos(service: Caller, told: tuple[SessionId, str]) -> None:
    url = f"/api/messaging/sessions/{told[0]}/messages"
    answer, asked = (await service.ok("GET", url))["messages"]
    assert (asked["isAgent"], answer["isAgent"]) == (False, True)
    assert answer["metadata"]["thought"] == REPLY.reasoning
    assert answer["authorId"] == str(AGENT)


async def test_a_turn_in_powabase(service: Caller, told: tuple[SessionId, str]) -> None:
    session_id, run_id = told
    url = f"/api/sessions/{typed(session_id)}"
    asked, answer = (await service.ok("GET", f"{url}/messages"))["messages"]
    assert asked["run_id"] == answer["run_id"] == run_id
    assert asked["timestamp"] == answer["timestamp"]
    [citation] = answer["citations"]
    assert CITATION.items() <= citation.items()
    assert [chunk["text"] for chunk in answer["retrieved_context"] if "text" in chunk] == [
        CHUNK["text"]
    ]
    [run] = (await service.ok("GET", f"{url}/runs"))["runs"]
    assert "retrieved_context" not in run
    calls = [(call["tool_name"], call["result"]) for call in run["tool_calls"]]
    assert calls[0] == ("look_up", {"hours": 24})
    context = await service.ok("GET", f"{url}/runs/{run_id}/retrieved-context")
    assert context["retrieved_context"] == answer["retrieved_context"]


async def test_a_turn_in_atthene(service: Caller, performer: Performer, owner: Principal) -> None:
    """Its tool calls are shown to whoever executes it, and its history is what was said."""
    session_id = await ATTHENE.open(service)
    url = f"/api/v1/runtime/{typed(session_id)}/execute/"
    executed, _ = await asyncio.gather(
        service.ok("POST", url, {"content": ASKED}), performer.reply_next(owner, REPLY)
    )
    assert (executed["status"], executed["response"]["content"]) == ("completed", REPLY.content)
    looked_up, phoned = executed["response"]["tool_calls"]
    assert (looked_up["name"], looked_up["result"]) == ("look_up", {"hours": 24})
    assert (looked_up["arguments"], phoned["name"]) == ({"order": 1}, "phone")
    assert executed["metadata"]["usage"] == {"input_tokens": 3, "output_tokens": 4}
    assert [each["role"] for each in executed["messages"]][-1] == "assistant"


@pytest.mark.parametrize("tongue", TONGUES, ids=str)
async def test_what_another_user_has_does_not_exist(
    ada: Caller, bob: Caller, tongue: Tongue
) -> None:
    session_id = await NATIVE.open(ada)
    assert await tongue.read(ada, session_id) == []
    with pytest.raises(AssertionError, match=r"(?i)not.found"):
        await tongue.read(bob, session_id)


async def test_a_user_who_is_no_uuid_is_printed_as_one(ada: Caller) -> None:
    session_id = await NATIVE.open(ada)
    seen = await ada.ok("GET", f"/api/messaging/sessions/{session_id}")
    assert seen["userId"] == str(user_uuid("ada"))
    shown = await ada.ok("GET", f"/api/sessions/{typed(session_id)}")
    assert shown["user_id"] == str(user_uuid("ada"))
    new = {"agentId": str(AGENT), "userId": str(user_uuid("ada"))}
    made = an_id((await ada.ok("POST", "/api/messaging/sessions", new))["sessionId"])
    assert (await ada.ok("GET", f"/v1/sessions/{typed(made)}"))["user_id"] == "ada"


async def test_a_session_of_nobody_belongs_to_nobody(service: Caller) -> None:
    session_id = await NATIVE.open(service)
    seen = await service.ok("GET", f"/api/messaging/sessions/{session_id}")
    assert seen["userId"] == "00000000-0000-0000-0000-000000000000"
    assert (await service.ok("GET", f"/api/sessions/{typed(session_id)}"))["user_id"] is None


async def test_every_spelling_of_an_id_is_read_in_every_contract(service: Caller) -> None:
    session_id = await NATIVE.open(service)
    for spelling in (typed(session_id), str(session_id), typed(session_id).upper()):
        for url in (
            f"/v1/sessions/{spelling}",
            f"/api/messaging/sessions/{spelling}",
            f"/api/sessions/{spelling}",
            f"/api/v1/runtime/{spelling}/status/",
            f"/api/v1/sessions/{spelling}",
        ):
            await service.ok("GET", url)
