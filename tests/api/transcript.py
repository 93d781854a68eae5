"""Transcripts: a conversation with the server, written down with the names of things.

    > POST /v1/sessions {"agent": "echo"}
    < 201 {"id": "sess_1", ...}
    ! answer run_1 Hello back
    ! next Hello back
    ! reply {"content": "Hello back", "usage": {"input_tokens": 3}}

`answer` performs a run; `next` and `reply` the one that the next request makes and waits for. Ids
are numbered in order of appearance; what else changes every time stands as `<time>` or `<hex>`.
`INTURN_WRITE_TRANSCRIPTS=1` writes down what the server says instead of comparing it.
"""

import asyncio
import json
import re
from pathlib import Path

import httpx

from shared.bootstrap import Platform
from shared.domain.message import Reply, ToolCall
from tests.api.caller import Caller, Json
from tests.api.performer import Performer

_ID = re.compile(r"\b(sess|msg|run|key|seed)_[0-9a-f]{32}\b")
# Only what is made on the way is numbered; the ids of named agents are the same everywhere.
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_NUMBERED = re.compile(r"\b(?:sess|msg|run|key|seed|uuid)_[0-9]+\b")
_UNSTABLE = {
    "<time>": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}(?:Z|\+00:00)"),
    "<milliseconds>": re.compile(r"\b[12]\d{12}\b"),
    "<seconds>": re.compile(r"\b[12]\d{9}\b"),
    '"announced_at": <when the relay comes>': re.compile(r'"announced_at": (null|"<time>")'),
    '"position": <how many>': re.compile(r'"position": \d+'),  # others use the database, too
    r"\1<how long>": re.compile(
        r'("(?:timeRemaining|uptime|execution_time|reasoning_duration_ms)": )[\d.e-]+'
    ),
    "<hex>": re.compile(r"\b[0-9a-f]{32}\b"),
}
FOLDER = Path(__file__).with_name("transcripts")
_SHOWN = (
    "location",
    "etag",
    "preference-applied",
    "idempotent-replayed",
    "retry-after",
    "allow",
)


class Transcript:
    """Speaks the lines of a script and writes down what is answered."""

    def __init__(self, caller: Caller, platform: Platform) -> None:
        self.caller = caller
        self.platform = platform
        self.performer = Performer(platform)
        self.coming: Reply | None = None
        self.names: dict[str, str] = {}

    async def play(self, script: str) -> str:
        """Return the script with the server's answers as they are now."""
        written: list[str] = []
        await self.performer.enlist()
        for line in script.splitlines():
            if line.startswith(("<", "  ")):
                continue
            written.append(line)
            if line.startswith("> "):
                written += await self.ask(line.removeprefix("> "))
            elif line.startswith("! "):
                await self.perform(*line.split(maxsplit=2)[1:])
        return "\n".join(written) + "\n"

    async def ask(self, line: str) -> list[str]:
        method, url, *rest = self.real(line).split(maxsplit=2)
        headers = dict(re.findall(r"\[([\w-]+): ([^\]]+)\]", rest[0])) if rest else {}
        text = re.sub(r"\[[\w-]+: [^\]]+\]\s*", "", rest[0]) if rest else ""
        asking = self.caller.call(method, url, json.loads(text) if text else None, **headers)
        response, _ = await asyncio.gather(asking, self.answer_what_comes())
        shown = [
            f"[{name}: {response.headers[name]}]" for name in _SHOWN if name in response.headers
        ]
        lines = _lines(response)
        status = f"< {response.status_code} {' '.join(shown)}".rstrip()
        return [self.stable(each) for each in [status, *(f"  {line}" for line in lines)]]

    async def perform(self, verb: str, rest: str) -> None:
        if verb == "next":
            self.coming = Reply(content=rest)
            return
        if verb == "reply":
            self.coming = _reply(json.loads(rest))
            return
        assert verb == "answer", verb
        run, _, content = rest.partition(" ")
        await self.performer.answer(self.real(run), content)

    async def answer_what_comes(self) -> None:
        reply, self.coming = self.coming, None
        if reply is not None:
            caller = await self.platform.credentials.authenticate(self.caller.key)
            await self.performer.reply_next(caller.principal, reply)

    def real(self, line: str) -> str:
        """Put real ids where the script has numbered ones."""
        ids = {name: identity for identity, name in self.names.items()}
        return _NUMBERED.sub(lambda match: ids.get(match[0], match[0]), line)

    def stable(self, line: str) -> str:
        """Put names where the answer has ids and instants."""
        line = _UUID.sub(self._number, _ID.sub(self._number, line))
        for name, pattern in _UNSTABLE.items():
            line = pattern.sub(name, line)
        return line

    def _number(self, match: re.Match[str]) -> str:
        noun = match[1] if match.re is _ID else "uuid"
        seen = sum(each.startswith(f"{noun}_") for each in self.names.values())
        return self.names.setdefault(match[0], f"{noun}_{seen + 1}")


def _reply(said: Json) -> Reply:
    calls = tuple(ToolCall(**each) for each in said.pop("tool_calls", ()))
    lists = {name: tuple(each) for name, each in said.items() if isinstance(each, list)}
    return Reply(**said | lists, tool_calls=calls)


def _lines(response: httpx.Response) -> list[str]:
    if response.headers.get("content-type") == "text/event-stream":
        return response.text.splitlines()
    body: Json = response.json() if response.content else None
    return [] if body is None else json.dumps(body, indent=2).splitlines()


def scripts() -> dict[Path, str]:
    """Read every script."""
    return {path: path.read_text() for path in sorted(FOLDER.glob("*.txt"))}


def rewrite(path: Path, said: str) -> None:
    """Take what the server says for what it should say; a human reads the difference."""
    path.write_text(said)
