"""What an attempt has said so far: written by its agent, from any thread, read by the attempt.

Deltas of one kind that follow each other are one until somebody takes them, however long that
is: joining text loses nothing, so a store that is away costs no more than the text itself.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from shared import clock
from shared.domain.event import EventType
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Reply
from shared.domain.run import ErrorCode
from workers.agents.excuses import NonRetryable

MAX_DELTA_CHARS = 16_000
MAX_SAID_CHARS = 8_000_000  # an agent that never stops is stopped here
MAX_NOTES = 10_000
_MANY_WAITING = 1_000  # from here on deltas of both kinds are joined across each other


@dataclass(slots=True)
class Utterance:
    """Something said, and when on this process's clock: text, or what `data` tells."""

    type: EventType
    at: float
    text: str = ""
    data: JsonObject = field(default_factory=dict)
    weight: int = 0


@dataclass(slots=True)
class _Waiting:
    said: Utterance
    pieces: list[str] = field(default_factory=list)  # of a delta


class Progress:
    """Takes what the agent says and hands it on, in order."""

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self.stopped = threading.Event()
        self.first_at: float | None = None
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pieces: list[str] = []
        self._waiting: deque[_Waiting] = deque()
        self._open: dict[EventType, _Waiting] = {}  # those that still take text
        self._chars = self._notes = 0
        self._thought = self._retrieved = False
        self._called: dict[str, float] = {}
        self._returned: set[str] = set()

    @property
    def text(self) -> str:
        """Everything emitted, joined."""
        with self._lock:
            return "".join(self._pieces)

    @property
    def waiting(self) -> bool:
        """Something was said that nobody has taken yet."""
        return bool(self._waiting)

    def say(self, piece: str) -> None:
        """Take a piece of the answer; once stopped, nobody listens."""
        _check_text(piece)
        with self._lock:
            if not piece or not self._listens(len(piece)):
                return
            if self.first_at is None:
                self.first_at = self._monotonic()
            self._pieces.append(piece)
            self._add_text(EventType.MESSAGE_DELTA, piece)

    def think(self, piece: str) -> None:
        """Take a piece of reasoning."""
        _check_text(piece)
        with self._lock:
            if piece and self._listens(len(piece)):
                self._thought = True
                self._add_text(EventType.REASONING_DELTA, piece)

    def call(self, call_id: str, name: str, arguments: Json) -> None:
        """Note that a tool is called."""
        self._note_call(call_id, name, arguments)
        self._called[call_id] = self._monotonic()

    def give(self, call_id: str, *, result: Json = None, error: str | None = None) -> None:
        """Note what a tool gave back; how long it took is known of a call that was noted."""
        began = self._called.get(call_id)
        took = None if began is None else round((self._monotonic() - began) * 1000)
        said: JsonObject = {"result": result} if error is None else {"error": error}
        self._note(EventType.TOOL_RETURNED, {"call_id": call_id, **said, "duration_ms": took})
        self._returned.add(call_id)

    def retrieve(self, total: int, included: int) -> None:
        """Note how much was found, and how much of it the model saw."""
        self._note(EventType.RETRIEVAL, {"total": total, "included": included})
        self._retrieved = True

    def complete(self, reply: Reply) -> None:
        """Say what an answer holds and nobody has said while it was made."""
        if reply.reasoning and not self._thought:
            self.think(reply.reasoning)
        if reply.retrieved_context and not self._retrieved:
            chunks = reply.retrieved_context
            included = sum(bool(each.get("included_in_context", True)) for each in chunks)
            self.retrieve(len(chunks), included)
        called, returned = set(self._called), set(self._returned)
        for call in reply.tool_calls:
            if call.call_id not in called:
                self._note_call(call.call_id, call.name, call.arguments)
            if call.call_id not in returned:
                self.give(call.call_id, result=call.result, error=call.error)

    def take(self, most: int, most_weight: int) -> list[Utterance]:
        """Take what waits, oldest first: at most so much, but for the first."""
        taken: list[Utterance] = []
        weight = 0
        with self._lock:
            while self._waiting and len(taken) < most and (not taken or weight < most_weight):
                taken.append(self._take_one())
                weight += taken[-1].weight
        return taken

    def _note_call(self, call_id: str, name: str, arguments: Json) -> None:
        data: JsonObject = {"call_id": call_id, "name": name, "arguments": arguments}
        self._note(EventType.TOOL_CALLED, data)

    def _listens(self, chars: int) -> bool:
        if self.stopped.is_set():
            return False
        self._chars += chars
        if self._chars > MAX_SAID_CHARS:
            message = f"The agent said more than {MAX_SAID_CHARS:,} characters."
            raise NonRetryable(ErrorCode.AGENT_ERROR, message)
        return True

    def _note(self, type_: EventType, data: JsonObject) -> None:
        raw = _encode(data)
        with self._lock:
            if not self._listens(len(raw)):
                return
            self._notes += 1
            if self._notes > MAX_NOTES:
                message = f"The agent called tools or searched more than {MAX_NOTES:,} times."
                raise NonRetryable(ErrorCode.AGENT_ERROR, message)
            # Read back, for what was said stays said, whatever becomes of the agent's own object.
            note = Utterance(type_, self._monotonic(), data=orjson.loads(raw), weight=len(raw))
            self._waiting.append(_Waiting(note))
            self._open.clear()

    def _add_text(self, type_: EventType, piece: str) -> None:
        waiting = self._open.get(type_)
        if waiting is None:
            if len(self._waiting) < _MANY_WAITING:
                self._open.clear()
            waiting = self._open[type_] = _Waiting(Utterance(type_, self._monotonic()))
            self._waiting.append(waiting)
        waiting.pieces.append(piece)

    def _take_one(self) -> Utterance:
        """Take the oldest, or of a long text its beginning."""
        waiting = self._waiting.popleft()
        said = waiting.said
        if self._open.get(said.type) is waiting:
            del self._open[said.type]
        if waiting.pieces:
            first, *others = _cut("".join(waiting.pieces))
            said.text, said.weight = first, len(first)
            later = (_Waiting(Utterance(said.type, said.at), [text]) for text in reversed(others))
            self._waiting.extendleft(later)
        return said


def _cut(text: str) -> list[str]:
    return [text[at : at + MAX_DELTA_CHARS] for at in range(0, len(text), MAX_DELTA_CHARS)]


def _check_text(piece: object) -> None:
    if not isinstance(piece, str):
        message = f"an agent emits text, not {type(piece).__name__}"
        raise TypeError(message)
    try:
        piece.encode()
    except UnicodeEncodeError:
        message = "an agent emits text that can be encoded, and this holds a lone surrogate"
        raise ValueError(message) from None


def _encode(data: JsonObject) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError as error:
        message = f"a tool's arguments and result have to be JSON: {error}"
        raise TypeError(message) from None
