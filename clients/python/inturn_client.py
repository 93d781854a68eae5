"""Inturn from Python, one file to copy: `Inturn` speaks `/v1`, `Sessions` ElizaOS's contract.

It needs httpx; `Sessions.room` needs python-socketio[asyncio_client], too. What got no answer, a
429 or a 503 is sent again under the same Idempotency-Key: what is accepted is accepted once.
"""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NotRequired, Self, TypedDict, TypeVar

import httpx

T = TypeVar("T")
Json = dict[str, Any]

ROOT = "/api/messaging/sessions"
AGAIN = {429, 502, 503, 504}
HOLD = 60  # seconds the server holds an answer at most


class Session(TypedDict):
    id: str
    agent: str
    agent_id: str
    user_id: str | None
    status: str  # idle, queued, running, waiting, error, ended
    metadata: Json


class Message(TypedDict):
    id: str
    run_id: str
    role: str  # user, assistant, tool, system
    content: str | list[Json]


class Run(TypedDict):
    id: str
    status: str  # queued, running, waiting; then succeeded, failed, cancelled
    output: Message | None
    error: Json | None


class TimedSession(TypedDict):
    sessionId: str
    agentId: str
    userId: str
    expiresAt: str
    timeoutConfig: Json
    timeRemaining: NotRequired[int]  # milliseconds; of every route but the one that creates
    renewalCount: NotRequired[int]


class Note(TypedDict):
    id: str
    content: str
    authorId: str
    createdAt: str


class Sent(Note):
    agentResponse: NotRequired[Json]  # has `text`; only if it was waited for
    sessionStatus: Json


@dataclass(frozen=True)
class Event:
    name: str
    data: Json
    id: str | None = None


class ApiError(Exception):
    """The server refused: `code` is stable, `body` says more."""

    def __init__(self, answer: httpx.Response) -> None:
        is_json = "json" in answer.headers.get("content-type", "")
        self.body: Json = answer.json() if is_json else {"detail": answer.text}
        error = self.body.get("error", self.body)  # ElizaOS nests it, problem+json does not
        self.status, self.code = answer.status_code, str(error.get("code"))
        super().__init__(f"{self.status} {self.code}: {error.get('message', error.get('detail'))}")


class Http:
    """Requests that outlive lost answers, limits and restarts of the server."""

    def __init__(self, url: str, key: str | None = None, **options: Any) -> None:
        self.url, self.key, self.tries, self.patience = url, key, 6, 60.0
        headers = {"X-API-Key": key} if key else {}
        timeout = httpx.Timeout(HOLD + 15, connect=5)
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def _call(self, shape: type[T], method: str, path: str, **parts: Any) -> T:
        """Return the answer, which has this shape."""
        del shape
        answer: T = (await self._send(method, path, **parts)).json()
        return answer

    async def _send(
        self, method: str, path: str, *, key: str | None = None, stream: bool = False, **parts: Any
    ) -> httpx.Response:
        """Send it until it is answered; whoever may wait longer than that raises `patience`."""
        request = self._http.build_request(method, path, **parts)
        request.headers["Idempotency-Key"] = key or str(uuid.uuid4())
        for tries_left in reversed(range(self.tries)):
            pause = random.uniform(0.2, 0.4) * 2 ** (self.tries - tries_left)
            try:
                answer = await self._http.send(request, stream=stream)
            except httpx.TransportError:
                if not tries_left:
                    raise
            else:
                if answer.is_success:
                    return answer
                await answer.aread()
                told = answer.headers.get("Retry-After", "")
                pause = float(told) if told.isdigit() else pause
                if answer.status_code not in AGAIN or not tries_left or pause > self.patience:
                    raise ApiError(answer)
            await asyncio.sleep(pause)
        raise AssertionError


class Inturn(Http):
    """The native contract."""

    async def create(self, agent: str, *, key: str | None = None, **fields: object) -> Session:
        body = {"agent": agent, **fields}
        return await self._call(Session, "POST", "/v1/sessions", json=body, key=key)

    async def send(
        self,
        session_id: str,
        content: str,
        *,
        wait: int = 0,
        key: str | None = None,
        **fields: object,
    ) -> Run:
        """Post a message; with `wait`, hold on so many seconds (60 at most) for its answer."""
        path, body = f"/v1/sessions/{session_id}/messages", {"content": content, **fields}
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        posted = await self._call(Json, "POST", path, json=body, headers=headers, key=key)
        run: Run = posted["run"]
        return run

    async def wait(self, run_id: str) -> Run:
        """Wait until the run has ended, or waits for an approval, however long that takes."""
        run = await self._call(Run, "GET", f"/v1/runs/{run_id}")
        while run["status"] in {"queued", "running"}:
            run = await self._call(Run, "GET", f"/v1/runs/{run_id}", params={"wait": HOLD})
        return run

    async def stream(self, run_id: str, after: str | None = None) -> AsyncGenerator[Event, None]:
        """Follow a run to its end over lines that break; `after` is the last event seen."""
        path = f"/v1/runs/{run_id}/events"
        while True:
            begin, headers = after, {"Accept": "text/event-stream"}
            headers |= {"Last-Event-ID": after} if after else {}
            answer = await self._send("GET", path, headers=headers, stream=True)
            if answer.status_code == httpx.codes.NO_CONTENT:  # all was seen
                return
            try:
                async with aclosing(_events(answer)) as events:
                    async for event in events:
                        after = event.id
                        yield event
            except httpx.TransportError:
                pass
            if after == begin:
                await asyncio.sleep(1)

    async def messages(self, session_id: str, limit: int = 50) -> AsyncGenerator[Message, None]:
        """Every message, the oldest first, `limit` a request."""
        path, query = f"/v1/sessions/{session_id}/messages", {"limit": str(limit)}
        while True:
            page = await self._call(Json, "GET", path, params=query)
            for message in page["data"]:
                yield message
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    async def delete(self, session_id: str) -> None:
        await self._send("DELETE", f"/v1/sessions/{session_id}")


class Sessions(Http):
    """ElizaOS's contract: sessions with a lifetime."""

    async def create(
        self, agent_id: str, user_id: str, *, key: str | None = None, **fields: object
    ) -> TimedSession:
        """Open a session; `fields` are `metadata` and `timeoutConfig`."""
        body = {"agentId": agent_id, "userId": user_id, **fields}
        return await self._call(TimedSession, "POST", ROOT, json=body, key=key)

    async def get(self, session_id: str) -> TimedSession:
        return await self._call(TimedSession, "GET", f"{ROOT}/{session_id}")

    async def send(
        self, session_id: str, content: str, *, key: str | None = None, **fields: object
    ) -> Sent:
        """Post a message; `transport="http"` waits for `agentResponse`."""
        path, body = f"{ROOT}/{session_id}/messages", {"content": content, **fields}
        return await self._call(Sent, "POST", path, json=body, key=key)

    async def stream(self, session_id: str, content: str) -> AsyncGenerator[Event, None]:
        """Post a message, and follow its answer: `user_message`, `chunk`s, `done` or `error`.

        Where the line breaks, the answer goes on: it will be in `messages`.
        """
        path, body = f"{ROOT}/{session_id}/messages", {"content": content, "transport": "sse"}
        answer = await self._send("POST", path, json=body, stream=True)
        async with aclosing(_events(answer)) as events:
            async for event in events:
                yield event

    async def messages(
        self, session_id: str, *, limit: int = 50, after: int | None = None
    ) -> AsyncGenerator[Note, None]:
        """Every message, the newest first; those after an instant (in ms), the oldest first."""
        way, query = ("before", {}) if after is None else ("after", {"after": after})
        while True:
            params = {"limit": limit, **query}
            page = await self._call(Json, "GET", f"{ROOT}/{session_id}/messages", params=params)
            for note in page["messages"] if after is None else reversed(page["messages"]):
                yield note
            if not page["hasMore"]:
                return
            query = {way: page["cursors"][way]}

    async def renew(self, session_id: str) -> TimedSession:
        return await self._call(TimedSession, "POST", f"{ROOT}/{session_id}/renew")

    async def heartbeat(self, session_id: str) -> TimedSession:
        return await self._call(TimedSession, "POST", f"{ROOT}/{session_id}/heartbeat")

    async def set_timeout(self, session_id: str, **config: object) -> TimedSession:
        """Change `timeoutMinutes`, `autoRenew`, `maxDurationMinutes`, `warningThresholdMinutes`."""
        return await self._call(TimedSession, "PATCH", f"{ROOT}/{session_id}/timeout", json=config)

    async def delete(self, session_id: str) -> None:
        await self._send("DELETE", f"{ROOT}/{session_id}")

    def room(self, session_id: str, user_id: str) -> "Room":
        return Room(self.url, self.key, session_id, user_id)


class Room:
    """What happens in a session, told as it happens; joined again whenever the line broke.

    `room_joined` comes first, and after each break: then `messages(after=…)` has what was missed.
    """

    def __init__(self, url: str, key: str | None, session_id: str, user_id: str) -> None:
        import socketio  # only rooms need it

        self._url, self._auth = url, {"entityId": user_id, "apiKey": key}
        self._at = {"channelId": session_id, "messageServerId": str(uuid.UUID(int=0))}
        self._heard: asyncio.Queue[Event] = asyncio.Queue()
        self._socket = socketio.AsyncClient()
        self._socket.on("connect", self._join)
        self._socket.on("*", self._hear)

    async def __aenter__(self) -> Self:
        await self._socket.connect(self._url, auth=self._auth, transports=["websocket"], retry=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.disconnect()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self._heard.get()

    async def say(self, text: str) -> None:
        """Post a message; `messageBroadcast`s bring it back, and the answer."""
        said = {**self._at, "senderId": self._auth["entityId"], "message": text}
        await self._socket.emit("message", {"type": 2, "payload": said})

    async def _join(self) -> None:
        await self._socket.emit("message", {"type": 1, "payload": self._at})

    async def _hear(self, name: str, data: Json) -> None:
        await self._heard.put(Event(name, data))


async def _events(answer: httpx.Response) -> AsyncGenerator[Event, None]:
    """Take a stream apart; a line ends by a line feed alone: JSON may hold what else could."""
    rest = b""
    try:
        async for chunk in answer.aiter_bytes():
            *blocks, rest = (rest + chunk).split(b"\n\n")
            for block in blocks:
                lines = (line.partition(": ") for line in block.decode().split("\n"))
                fields = {name: value for name, _, value in lines}
                if "data" in fields:
                    yield Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
    finally:
        await answer.aclose()
