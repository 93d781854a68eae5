"""What an agent says is joined while it waits, bounded, and told once."""

import threading
from collections.abc import Callable

import pytest

from inturn.agents import NonRetryable, Reply, ToolCall
from shared.domain.jsontypes import JsonObject
from workers.agents import progress as module
from workers.agents.progress import MAX_DELTA_CHARS, Progress, Utterance

ALL = 1 << 30


def taken(progress: Progress) -> list[tuple[str, object]]:
    return [shown(each) for each in progress.take(ALL, ALL)]


def shown(said: Utterance) -> tuple[str, object]:
    return said.type.value, said.text or said.data


def test_pieces_that_follow_each_other_are_one_delta() -> None:
    progress = Progress()
    for piece in ("a", "", "b", "c"):
        progress.say(piece)
    progress.think("hm ")
    progress.think("ah")
    progress.say("d")
    assert taken(progress) == [
        ("message.delta", "abc"), ("reasoning.delta", "hm ah"), ("message.delta", "d"),
    ]  # fmt: skip
    assert not progress.waiting
    progress.say("e")
    assert taken(progress) == [("message.delta", "e")]
    assert progress.text == "abcde"


def test_what_is_no_text_keeps_its_place_between_texts() -> None:
    progress = Progress()
    progress.say("a")
    progress.call("1", "search", {"q": 1})
    progress.say("b")
    progress.retrieve(3, 2)
    progress.say("c")
    assert taken(progress) == [
        ("message.delta", "a"),
        ("tool.called", {"call_id": "1", "name": "search", "arguments": {"q": 1}}),
        ("message.delta", "b"),
        ("retrieval", {"total": 3, "included": 2}),
        ("message.delta", "c"),
    ]


def test_a_long_text_is_cut_and_nothing_of_it_lost() -> None:
    progress = Progress()
    text = "".join(chr(97 + n % 26) for n in range(3 * MAX_DELTA_CHARS + 7))
    progress.say(text)
    progress.think("after")
    [first] = progress.take(1, ALL)
    progress.say("late")
    rest = progress.take(ALL, ALL)
    parts = [first.text, *(each.text for each in rest)]
    assert [len(part) for part in parts] == [*[MAX_DELTA_CHARS] * 3, 7, 5, 4]
    assert "".join(parts) == f"{text}afterlate"


def test_a_batch_is_bounded_but_never_empty() -> None:
    progress = Progress()
    for number in range(4):
        progress.call(str(number), "x" * 100, None)
    assert len(progress.take(2, ALL)) == 2
    assert len(progress.take(ALL, 1)) == 1
    assert len(progress.take(ALL, ALL)) == 1


def test_while_nobody_takes_it_chatter_of_both_kinds_is_joined() -> None:
    progress = Progress()
    for number in range(5000):
        progress.say(f"{number} ")
        progress.think(f"{number}.")
    said = progress.take(ALL, ALL)
    assert len(said) < 1010
    spoken = "".join(each.text for each in said if each.type == "message.delta")
    thought = "".join(each.text for each in said if each.type == "reasoning.delta")
    assert spoken == progress.text
    assert thought == "".join(f"{number}." for number in range(5000))


def test_how_long_a_tool_took_is_measured() -> None:
    now = 1.0
    progress = Progress(lambda: now)
    progress.call("1", "search", None)
    now = 1.25
    progress.give("1", result={"found": 2})
    progress.give("2", error="no such thing")
    assert taken(progress)[1:] == [
        ("tool.returned", {"call_id": "1", "result": {"found": 2}, "duration_ms": 250}),
        ("tool.returned", {"call_id": "2", "error": "no such thing", "duration_ms": None}),
    ]


WHOLE = Reply(
    content="done",
    reasoning="hm",
    tool_calls=(
        ToolCall(call_id="1", name="a", arguments=[1], result=2),
        ToolCall(call_id="2", name="b", error="no"),
    ),
    retrieved_context=({"id": 1}, {"id": 2, "included_in_context": False}),
)
TOLD: list[tuple[str, JsonObject | str]] = [
    ("reasoning.delta", "hm"),
    ("retrieval", {"total": 2, "included": 1}),
    ("tool.called", {"call_id": "1", "name": "a", "arguments": [1]}),
    ("tool.returned", {"call_id": "1", "result": 2, "duration_ms": None}),
    ("tool.called", {"call_id": "2", "name": "b", "arguments": None}),
    ("tool.returned", {"call_id": "2", "error": "no", "duration_ms": None}),
]


def test_what_only_the_reply_says_is_told_from_it() -> None:
    progress = Progress()
    progress.complete(WHOLE)
    assert taken(progress) == TOLD


def test_what_was_told_while_it_happened_is_not_told_again() -> None:
    progress = Progress(lambda: 1.0)
    progress.think("live")
    progress.retrieve(2, 1)
    progress.call("1", "a", [1])
    progress.give("1", result=2)
    progress.call("2", "b", None)
    taken(progress)
    progress.complete(WHOLE)
    assert taken(progress) == [
        ("tool.returned", {"call_id": "2", "error": "no", "duration_ms": 0}),
    ]


def test_once_stopped_nobody_listens() -> None:
    progress = Progress()
    progress.stopped.set()
    progress.say("a")
    progress.think("b")
    progress.call("1", "c", None)
    assert (progress.text, taken(progress), progress.first_at) == ("", [], None)


@pytest.mark.parametrize(
    "say",
    [
        lambda progress: progress.say(7),
        lambda progress: progress.think(None),
        lambda progress: progress.call("1", "a", {"now": object()}),
        lambda progress: progress.call("1", "a", 1 << 64),
        lambda progress: progress.give("1", result={1: 2}),
    ],
)
def test_what_nobody_could_store_is_refused_at_once(say: Callable[[Progress], None]) -> None:
    progress = Progress()
    with pytest.raises(TypeError):
        say(progress)
    assert taken(progress) == []


def test_half_a_character_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="lone surrogate"):
        Progress().say("\ud83d")


def test_arguments_are_those_of_the_call() -> None:
    progress = Progress()
    arguments: list[object] = [1]
    progress.call("1", "a", arguments)  # type: ignore[arg-type]
    arguments.append(2)
    assert taken(progress) == [("tool.called", {"call_id": "1", "name": "a", "arguments": [1]})]


@pytest.mark.parametrize(
    "say",
    [
        lambda progress: progress.say("x" * 100),
        lambda progress: progress.think("x" * 100),
        lambda progress: progress.call("1", "a", None),
        lambda progress: progress.retrieve(1, 1),
    ],
)
def test_an_agent_that_never_stops_is_stopped(
    monkeypatch: pytest.MonkeyPatch, say: Callable[[Progress], None]
) -> None:
    monkeypatch.setattr(module, "MAX_SAID_CHARS", 1_000)
    monkeypatch.setattr(module, "MAX_NOTES", 9)
    progress = Progress()

    def babble() -> None:
        for _ in range(12):
            say(progress)

    with pytest.raises(NonRetryable, match=r"^The agent .* more than"):
        babble()
    assert sum(each.weight for each in progress.take(ALL, ALL)) <= 1_000


def test_threads_lose_nothing() -> None:
    progress = Progress()
    said: list[str] = []

    def speak(voice: str) -> None:
        for _ in range(2_000):
            progress.say(voice)

    threads = [threading.Thread(target=speak, args=(voice,)) for voice in "abc"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or progress.waiting:
        said += [each.text for each in progress.take(5, ALL)]
    assert "".join(said) == progress.text
    assert sorted(progress.text) == sorted("abc" * 2_000)
