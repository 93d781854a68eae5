"""What a session keeps beside its messages: working memory, and each tool's configuration."""

import json
from dataclasses import dataclass, field

from shared.domain.errors import ValidationFailed
from shared.domain.jsontypes import JsonObject
from shared.domain.merging import merge_patch

MAX_STATE_BYTES = 64 * 1024
_VARIABLES = "variables"  # where the memory has them


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """`version` grows with each change, and with nothing else of the session."""

    memory: JsonObject = field(default_factory=dict)
    tools: JsonObject = field(default_factory=dict)
    version: int = 0

    def as_json(self) -> JsonObject:
        """Spell it without its version."""
        return {"memory": self.memory, "tools": self.tools}

    def merged(self, patch: JsonObject) -> "SessionState":
        """Return what a merge patch makes of it. Raises ValidationFailed if that is too large."""
        return self._become(merge_patch(self.as_json(), patch))

    @property
    def variables(self) -> JsonObject:
        """What callers gave once, for every run of the session."""
        kept = self.memory.get(_VARIABLES)
        return kept if isinstance(kept, dict) else {}

    def remembering(self, variables: JsonObject) -> "SessionState":
        """Return what it is with these variables. Raises ValidationFailed if it is too large."""
        memory: JsonObject = {**self.memory, _VARIABLES: {**self.variables, **variables}}
        return self._become({**self.as_json(), "memory": memory})

    def _become(self, merged: JsonObject) -> "SessionState":
        if merged == self.as_json():
            return self
        if len(json.dumps(merged, ensure_ascii=False, separators=(",", ":")).encode()) > (
            MAX_STATE_BYTES
        ):
            problem = f"would make a state of more than {MAX_STATE_BYTES} bytes as JSON"
            raise ValidationFailed.of(("body",), problem)
        return to_state(merged, self.version + 1)


def to_state(stored: JsonObject | None, version: int) -> SessionState:
    """Read a state; a part that is not there is empty."""
    stored = stored or {}
    memory, tools = stored.get("memory"), stored.get("tools")
    return SessionState(
        memory=memory if isinstance(memory, dict) else {},
        tools=tools if isinstance(tools, dict) else {},
        version=version,
    )
