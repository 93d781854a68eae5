"""What an attempt leaves in the conversation."""

from typing import Any

import orjson

from shared.clock import Instant
from shared.domain.exits import Exit
from shared.domain.message import Role
from shared.domain.run import RunEvent
from shared.ids import MessageId, new_id
from shared.storage.each import insert_each
from shared.storage.lines import Line
from shared.storage.schema import messages
from shared.storage.types import AnyRow

SPEAK = insert_each(
    messages, "id", "session_id", "seq", "turn_seq", "run_id", "role", "content",
    "correlation_id", "tool", "citations", "reasoning", "interrupted", "created_at",
)  # fmt: skip


def said(
    exit_: Exit, run: AnyRow, output_id: MessageId | None, line: Line, now: Instant
) -> list[dict[str, Any]]:
    """Return the rows of what an attempt said: its tool calls, then its answer if it has one."""
    reply = exit_.reply
    if reply is None:
        return []
    spoken: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "role": Role.TOOL,
            "content": call.error or _as_text(call.result),
            "tool": {
                "call_id": call.call_id,
                "name": call.name,
                "arguments": call.arguments,
                **({"error": call.error} if call.error else {"result": call.result}),
            },
        }
        for call in reply.tool_calls
    ]
    if output_id:
        spoken.append(
            {
                "id": output_id,
                "role": Role.ASSISTANT,
                "content": reply.content,
                "citations": list(reply.citations) or None,
                "reasoning": reply.reasoning,
                "interrupted": exit_.event is not RunEvent.SUCCEED,
            }
        )
    return [_message(run, line, now, each) for each in spoken]


def _message(run: AnyRow, line: Line, now: Instant, words: dict[str, Any]) -> dict[str, Any]:
    seq, created_at = line.add_message(now, spoken=words["role"] is not Role.TOOL)
    blank = {"tool": None, "citations": None, "reasoning": None, "interrupted": False}
    place = {
        "session_id": line.id,
        "seq": seq,
        "turn_seq": run.seq,
        "run_id": run.id,
        "correlation_id": run.correlation_id,
        "created_at": created_at,
    }
    return blank | place | words


def _as_text(result: object) -> str:
    return result if isinstance(result, str) else orjson.dumps(result).decode()
