import json
from typing import Any

import pytest

from inturn.agents import AgentContext, NonRetryable, Reply, ToolCall
from shared.domain.agent import AgentKind
from shared.domain.jsontypes import JsonObject
from shared.domain.run import Approval
from tests.unit.workshop import a_context, an_agent
from workers.agents import Troupe
from workers.agents.base import Pause, Progress
from workers.agents.echo import EchoAgent
from workers.agents.scripted import ScriptedAgent, ScriptedFailure


def script(*steps: list[Any], **more: object) -> str:
    return json.dumps({"do": steps, **more})


async def play(*steps: list[Any], attempt: int = 1, **more: object) -> Reply:
    return await ScriptedAgent().run(a_context(script(*steps, **more), attempt=attempt))


async def test_echo_says_the_text_back_and_emits_it() -> None:
    progress = Progress()
    blocks: list[JsonObject] = [
        {"type": "text", "text": "a"},
        {"type": "image"},
        {"type": "text", "text": "b"},
    ]
    reply = await EchoAgent().run(a_context(blocks, progress=progress))
    assert reply == Reply(content="a\nb")
    assert progress.text == "a\nb"


async def test_a_script_without_a_reply_answers_what_it_emitted() -> None:
    reply = await play(["emit", "one "], ["sleep", 0], ["emit", "two"], ["block", 0.0])
    assert reply.content == "one two"


async def test_a_script_gathers_all_parts_of_a_reply() -> None:
    chunk: JsonObject = {
        "chunk_id": "c1",
        "text": "Paris",
        "source_id": "s1",
        "source_name": "Atlas",
    }
    reply = await play(
        ["think", "hm "],
        ["think", "ah"],
        ["tool", "search", {"q": 1}],
        ["tool", "sum", [1, 2], 3],
        ["retrieve", [chunk]],
        ["cite", ["c1"]],
        ["usage", {"input_tokens": 1}],
        ["usage", {"output_tokens": 2}],
        reply="done",
    )
    assert reply == Reply(
        content="done",
        tool_calls=(
            ToolCall(call_id="tool_2", name="search", arguments={"q": 1}, result={}),
            ToolCall(call_id="tool_3", name="sum", arguments=[1, 2], result=3),
        ),
        retrieved_context=(chunk,),
        citations=(
            {
                "key": "1",
                "chunk_id": "c1",
                "source_id": "s1",
                "source_name": "Atlas",
                "text_excerpt": "Paris",
                "meta": {},
            },
        ),
        usage={"input_tokens": 1, "output_tokens": 2},
        reasoning="hm ah",
    )


async def test_fail_times_fails_so_many_attempts() -> None:
    for attempt in (1, 2):
        with pytest.raises(ScriptedFailure):
            await play(["fail_times", 2], attempt=attempt)
    assert (await play(["fail_times", 2], attempt=3, reply="ok")).content == "ok"


async def test_raise_fails_with_its_reason() -> None:
    with pytest.raises(ScriptedFailure, match="no luck"):
        await play(["raise", "no luck"])


async def test_approve_pauses_until_decided_under_the_same_id() -> None:
    content = script(["emit", "x"], ["approve", "pay", {"eur": 5}], reply="paid")
    with pytest.raises(Pause) as paused:
        await ScriptedAgent().run(a_context(content))
    (asked,) = paused.value.approvals
    assert asked == Approval(call_id="approve_1", tool="pay", arguments={"eur": 5})

    def decided(*, approved: bool) -> AgentContext:
        approval = Approval(
            call_id=asked.call_id,
            tool="pay",
            arguments={"eur": 5},
            approved=approved,
            reason=None if approved else "too much",
        )
        return a_context(content, approvals=(approval,))

    granted = await ScriptedAgent().run(decided(approved=True))
    assert granted.tool_calls[0].result == {}
    assert granted.content == "paid"
    refused = await ScriptedAgent().run(decided(approved=False))
    assert refused.tool_calls[0].error == "too much"
    assert refused.content == "paid"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("hello", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not like"),
        ('{"do": 1}', "not like"),
        ('{"does": []}', "unknown field 'does'"),
        ('{"reply": 1}', "`reply` is a text"),
        (script(["dance"]), "there is no 'dance'"),
        (script([]), "step 0"),
        (script(["emit", "a"], ["emit"]), "step 1: emit does not take"),
        (script(["emit", 1]), "emit does not take"),
        (script(["sleep", True]), "sleep does not take"),
        (script(["emit", "a", "b"]), "emit does not take"),
        (script(["retrieve", [1]]), "takes a list of objects"),
        (script(["cite", ["c9"]]), "no chunk 'c9'"),
    ],
)
async def test_a_bad_script_fails_at_once(content: str, says: str) -> None:
    with pytest.raises(NonRetryable, match=says) as failure:
        await ScriptedAgent().run(a_context(content))
    assert failure.value.code == "bad_script"


def test_what_is_said_after_the_end_is_not_heard() -> None:
    heard = []
    progress = Progress(lambda: 5.0)
    for piece in ("", "a", "b"):
        progress.say(piece)
        heard.append((progress.text, progress.first_at))
        if piece == "a":
            progress.stopped.set()
    assert heard == [("", None), ("a", 5.0), ("a", 5.0)]
    with pytest.raises(TypeError, match="emits text, not int"):
        progress.say(7)  # type: ignore[arg-type]  # what a careless user does


def test_remaining_is_never_negative() -> None:
    assert a_context().remaining() == 0.0


@pytest.mark.parametrize("kind", [AgentKind.LLM, AgentKind.LIBRARIAN, AgentKind.SCRIPTED])
def test_a_kind_that_is_not_here_is_unavailable(kind: AgentKind) -> None:
    with pytest.raises(NonRetryable, match=kind.value) as failure:
        Troupe(scripted=False).find(an_agent(kind))
    assert failure.value.code == "agent_kind_unavailable"


def test_an_agent_is_made_once() -> None:
    troupe = Troupe(scripted=True)
    assert isinstance(troupe.find(an_agent(AgentKind.SCRIPTED)), ScriptedAgent)
    one = troupe.find(an_agent(AgentKind.PYTHON, path="a:b"))
    assert one is troupe.find(an_agent(AgentKind.PYTHON, path="a:b"))
    assert one is not troupe.find(an_agent(AgentKind.PYTHON, path="a:c"))
