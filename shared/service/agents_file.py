"""The agents file: `[[agents]]` tables, checked before anything is written."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from shared import ids
from shared.domain.agent import (
    DEFAULT_POOL,
    MAX_PROMPT_CHARS,
    MAX_RUNNING,
    MAX_RUNS_PER_MINUTE,
    MAX_STEPS,
    MAX_TOKENS,
    AgentKind,
    AgentLimits,
    AgentSpec,
    reads_as_an_id,
)
from shared.domain.errors import InturnError
from shared.domain.retry import RetryPolicy
from shared.ids import AgentId


class BadAgentsFile(InturnError):
    """The agents file cannot be used; the sentence says where and why."""

    code = "bad_agents_file"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Limits(_Table):
    max_running: Annotated[int, Field(ge=1, le=MAX_RUNNING)] | None = None
    runs_per_minute: Annotated[int, Field(ge=1, le=MAX_RUNS_PER_MINUTE)] | None = None
    run_timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    max_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    max_cost: Annotated[float, Field(ge=0)] | None = None


class _Retry(_Table):
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    base_seconds: Annotated[float, Field(ge=0)] = 1.0
    max_seconds: Annotated[float, Field(ge=0)] = 60.0


class _KnowledgeBase(_Table):
    id: Annotated[str, Field(min_length=1, max_length=64)]
    top_k: Annotated[int, Field(ge=1, le=100)] = 5


class _Tool(_Table):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    settings: dict[str, JsonValue] = {}


class _AgentTable(_Table):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    kind: AgentKind = Field(strict=False)
    id: str | None = None
    pool: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = DEFAULT_POOL
    callable: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")] | None = None
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    system_prompt: Annotated[str, Field(max_length=MAX_PROMPT_CHARS)] | None = None
    settings: dict[str, JsonValue] = {}
    knowledge_bases: list[_KnowledgeBase] = []
    tools: list[_Tool] = []
    limits: _Limits = _Limits()
    retry: _Retry | None = None

    @model_validator(mode="after")
    def _python_names_its_code(self) -> "_AgentTable":
        if (self.kind is AgentKind.PYTHON) != (self.callable is not None):
            message = 'kind = "python" needs callable = "module:function", and no other kind has it'
            raise ValueError(message)
        if self.id is not None:
            ids.parse("agent", self.id)
        if reads_as_an_id(self.name):
            message = "the name reads as an id"
            raise ValueError(message)
        return self

    def spec(self) -> AgentSpec:
        return AgentSpec(
            name=self.name,
            kind=self.kind,
            id=AgentId(ids.parse("agent", self.id)) if self.id else None,
            pool=self.pool,
            callable=self.callable,
            model=self.model,
            system_prompt=self.system_prompt,
            settings=self.settings,
            knowledge_bases=tuple(each.model_dump() for each in self.knowledge_bases),
            tools=tuple(each.model_dump() for each in self.tools),
            limits=AgentLimits(**self.limits.model_dump()),
            retry=RetryPolicy(**self.retry.model_dump()) if self.retry else None,
        )


class _File(_Table):
    agents: list[_AgentTable] = []


def read_agents(path: Path) -> list[AgentSpec]:
    """Read and check the agents file.

    Raises BadAgentsFile: unreadable, not TOML, a wrong or unknown field, a name given twice.
    """
    try:
        tables = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).agents
    except OSError as error:
        raise BadAgentsFile(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadAgentsFile(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadAgentsFile(f"{path}, {where}: {first['msg']}") from None
    names = [table.name for table in tables]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadAgentsFile(f"{path} names the agent {twice!r} twice")
    return [table.spec() for table in tables]
