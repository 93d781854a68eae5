"""A run as a stream of this contract: `chunk`s, and `done` or `error` at the end.

Its clients know no attempts: they join the chunks. So what a later attempt says again is not
sent again, and where it says something else nothing more is sent until `done`, which has it all.
"""

from collections.abc import Iterable, Iterator
from uuid import UUID

import orjson

from ingress.dialects.elizaos.wire.message_view import from_answer
from ingress.sse import Frame
from shared.domain.event import Event, EventType
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Message, plain_text
from shared.domain.run import TERMINAL, Run, RunError, RunStatus

CANCELLED = "The run was cancelled."
LEFT = "The stream ended before the answer was complete; it will be among the messages."
FAILED = "The agent failed."


def why(status: RunStatus, error: RunError | None) -> str:
    """Say why a run has no answer."""
    if status is RunStatus.CANCELLED:
        return CANCELLED
    return error.message if error else FAILED


def frame(event: str, data: JsonObject) -> Frame:
    """Print an event."""
    return Frame(None, event, orjson.dumps(data))


class Telling:
    """What a client was told of a run."""

    def __init__(self) -> None:
        self.over = False
        self._sent = ""  # what its chunks are, joined
        self._said = ""  # what this attempt has said
        self._index = 0
        self._answer: Message | None = None

    def frames(self, events: Iterable[Event]) -> list[Frame]:
        """Tell what is new in these."""
        return [frame for event in events for frame in self._frames(event)]

    def ending(self, run: Run | None) -> list[Frame]:
        """Tell how it ended, where no event did; null is a run that nobody can read."""
        if run is None or run.status not in TERMINAL:
            return [self._error(LEFT)]
        self._answer = run.output
        return list(self._settled(run.status, run.error))

    def _frames(self, event: Event) -> Iterator[Frame]:
        data = event.data
        match event.type:
            case EventType.ATTEMPT_STARTED:
                self._said = ""
            case EventType.MESSAGE_DELTA:
                self._said += str(data["text"])
                yield from self._chunk(str(UUID(str(data["message_id"]))), self._said)
            case EventType.MESSAGE_COMPLETED:
                self._answer = event.message
            case EventType.RUN_SETTLED:
                yield from self._settled(RunStatus(str(data["status"])), _error_in(data["error"]))

    def _chunk(self, message_id: str, text: str) -> Iterator[Frame]:
        """Send what of `text` was not sent; nothing where it goes on in other words."""
        if len(text) > len(self._sent) and text.startswith(self._sent):
            chunk, self._sent = text[len(self._sent) :], text
            data: JsonObject = {"messageId": message_id, "chunk": chunk, "index": self._index}
            self._index += 1
            yield frame("chunk", data)

    def _settled(self, status: RunStatus, error: RunError | None) -> Iterator[Frame]:
        if status is not RunStatus.SUCCEEDED:
            yield self._error(why(status, error))
            return
        self.over = True
        answer = self._answer
        text = self._sent if answer is None else plain_text(answer.content)
        if answer is not None:
            yield from self._chunk(str(answer.id), text)
        yield frame("done", from_answer(text, answer.reasoning if answer else None))

    def _error(self, message: str) -> Frame:
        self.over = True
        return frame("error", {"error": message})


def _error_in(data: Json) -> RunError | None:
    if not isinstance(data, dict):
        return None
    return RunError(code=str(data["code"]), message=str(data["message"]))
