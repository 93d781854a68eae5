"""Agents on the wire: making and changing one."""

from dataclasses import replace
from typing import Annotated, cast

import orjson
from pydantic import BaseModel, ConfigDict, WithJsonSchema

from ingress.dialects.powabase.wire.error import BadRequest
from ingress.fields import MAX_INPUTS_BYTES
from shared.domain.agent import MAX_PROMPT_CHARS, Agent, AgentKind, AgentSpec
from shared.domain.jsontypes import JsonObject

MAX_NAME_CHARS = 200
# An agent of kind `python` is code on the server: only the agents file names it.
KINDS = {kind.value: kind for kind in AgentKind if kind is not AgentKind.PYTHON}

Name = Annotated[
    object, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS})
]
Model = Annotated[
    object,
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": MAX_NAME_CHARS}, {"type": "null"}]}),
]
Prompt = Annotated[
    object,
    WithJsonSchema(
        {"anyOf": [{"type": "string", "maxLength": MAX_PROMPT_CHARS}, {"type": "null"}]}
    ),
]
Settings = Annotated[
    object,
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": True,
            "x-max-bytes": MAX_INPUTS_BYTES,
            "description": "All tuning: `kind` (llm unless it says echo, scripted or librarian), "
            "`reasoning_effort`, and what the kind reads.",
        }
    ),
]


class AgentPatch(BaseModel):
    """What is left out stays; `settings` are replaced as a whole."""

    name: Name = None
    model: Model = None
    system_prompt: Prompt = None
    settings: Settings = None

    def edited(self, agent: Agent) -> AgentSpec:
        """Return what the agent becomes. Raises BadRequest."""
        given, kept = self.model_fields_set, _spec(agent)
        if "name" in given:
            kept = replace(kept, name=_name(self.name))
        if "model" in given:
            kept = replace(kept, model=_text("model", self.model, MAX_NAME_CHARS))
        if "system_prompt" in given:
            prompt = _text("system_prompt", self.system_prompt, MAX_PROMPT_CHARS)
            kept = replace(kept, system_prompt=prompt)
        if "settings" in given:
            settings, kind = _settings(self.settings, agent.kind)
            kept = replace(kept, settings=settings, kind=kind)
        return kept


class NewAgent(AgentPatch):
    """An agent to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["name"],
            "example": {"name": "parrot", "settings": {"kind": "echo"}},
        }
    )

    def to_domain(self) -> AgentSpec:
        name = _name(self.name)
        settings, kind = _settings(self.settings, AgentKind.LLM)
        return AgentSpec(
            name=name,
            kind=kind,
            model=_text("model", self.model, MAX_NAME_CHARS),
            system_prompt=_text("system_prompt", self.system_prompt, MAX_PROMPT_CHARS),
            settings=settings,
        )


def _spec(agent: Agent) -> AgentSpec:
    return AgentSpec(
        name=agent.name,
        kind=agent.kind,
        pool=agent.pool,
        model=agent.model,
        system_prompt=agent.system_prompt,
        settings=agent.settings,
        knowledge_bases=agent.knowledge_bases,
        tools=agent.tools,
        limits=agent.limits,
        retry=agent.retry,
    )


def _name(given: object) -> str:
    if not isinstance(given, str) or not given.strip():
        raise BadRequest("Name is required", "name")
    if len(given) > MAX_NAME_CHARS:
        raise BadRequest(f"name must be at most {MAX_NAME_CHARS} characters", "name")
    return given


def _text(field: str, given: object, most: int) -> str | None:
    if given is None or (isinstance(given, str) and len(given) <= most):
        return given or None
    raise BadRequest(f"{field} must be a string of at most {most} characters", field)


def _settings(given: object, kind: AgentKind) -> tuple[JsonObject, AgentKind]:
    """Take `kind` out of the settings: what an agent is, it is in every contract."""
    if given is not None and not isinstance(given, dict):
        raise BadRequest("settings must be an object", "settings")
    settings = cast("JsonObject", given or {})
    if len(orjson.dumps(settings)) > MAX_INPUTS_BYTES:
        raise BadRequest(f"settings must be at most {MAX_INPUTS_BYTES} bytes as JSON", "settings")
    effort = settings.get("reasoning_effort")
    if effort is not None and not isinstance(effort, str):
        raise BadRequest("settings.reasoning_effort must be a string", "settings")
    named = settings.get("kind", kind.value)
    if not isinstance(named, str) or (named not in KINDS and named != kind):
        words = ", ".join(sorted(KINDS))
        raise BadRequest(f"settings.kind must be one of {words}", "settings", "kind")
    return {name: each for name, each in settings.items() if name != "kind"}, AgentKind(named)
