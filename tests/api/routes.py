"""Every route of every contract, as the routers have them: a new one is covered by itself."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from starlette.routing import BaseRoute

from ingress.app import DIALECTS
from ingress.dialects import Dialect
from ingress.route import StrictRoute
from shared.domain.principal import Scope
from tests.api.contracts import Schema, document
from tests.api.promises import resolve
from tests.api.wrongs import example

# What anybody may ask; everything else wants to know who asks.
OPEN = {"GET /api/messaging/sessions/health"}


@dataclass(frozen=True, kw_only=True)
class Route:
    """A method of a path of a contract."""

    dialect: Dialect
    method: str
    template: str
    scope: Scope | None

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def operation(self) -> Schema:
        """What its document says of it; nothing, where it is left out."""
        paths: Schema = document(self.dialect.name)["paths"]
        found: Schema = paths.get(self.template, {}).get(self.method.lower(), {})
        return found

    @property
    def parameters(self) -> list[Schema]:
        whole = document(self.dialect.name)
        return [resolve(whole, each) for each in self.operation.get("parameters", ())]

    @property
    def queried(self) -> list[str]:
        return [each["name"] for each in self.parameters if each["in"] == "query"]

    @property
    def body_schema(self) -> Schema | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        found: Schema | None = content.get("application/json", {}).get("schema")
        return found

    @property
    def streams(self) -> bool:
        """Whether it may answer with a stream, which ends when what it tells of does."""
        said = self.operation.get("responses", {}).get("200", {}).get("content", {})
        return "text/event-stream" in said

    @property
    def fields(self) -> Schema:
        """The properties of a body that is an object."""
        schema = self.body_schema
        found: Schema = resolve(document(self.dialect.name), schema or {}).get("properties", {})
        return found

    def body(self) -> Any:  # noqa: ANN401  (JSON)
        """Make a body that is right."""
        schema = self.body_schema
        return None if schema is None else example(document(self.dialect.name), schema)

    def url(self, ids: Mapping[str, str]) -> str:
        return self.template.format_map(ids)


@cache
def every_route() -> tuple[Route, ...]:
    """List the routes of all contracts."""
    return tuple(route for dialect in DIALECTS for route in _of(dialect))


def _of(dialect: Dialect) -> Iterator[Route]:
    for each in _flat(dialect.router.routes):
        for method in sorted(each.methods or ()):
            yield Route(dialect=dialect, method=method, template=each.path_format, scope=each.scope)


def _flat(routes: Iterable[BaseRoute]) -> Iterator[StrictRoute]:
    for each in routes:
        assert isinstance(each, StrictRoute), f"{each!r} asks nobody who they are"
        yield each
