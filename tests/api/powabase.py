"""What tests of the Powabase contract say again and again."""

import json
from typing import Any

from shared.domain.agent import agent_id_of
from tests.api.caller import Caller, Json

SCRIPTED = f"/api/agents/{agent_id_of('scripted')}"
ECHO = f"/api/agents/{agent_id_of('echo')}"

CHUNKS = [
    {"id": "0198c0de5e557c0de0000000c0ffee01", "text": "Bonn is on the Rhine.", "score": 0.84},
    {"chunk_id": "k2", "text": "Mainz, too.", "included_in_context": False, "colour": "red"},
]


def script(*steps: list[object], reply: str | None = "sunny") -> str:
    return json.dumps({"do": steps} | ({} if reply is None else {"reply": reply}))


async def asked(caller: Caller, message: str, agent: str = SCRIPTED, **more: Json) -> Any:  # noqa: ANN401
    """Ask and wait for what becomes of it."""
    return await caller.ok("POST", f"{agent}/run", {"message": message, **more})


async def opened(caller: Caller, agent: str = ECHO, **body: Json) -> str:
    made = await caller.ok("POST", f"{agent}/sessions", body)
    return str(made["session_id"])
