"""One package per public contract; none knows another."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Router

from shared.domain.errors import InturnError
from shared.domain.jsontypes import JsonObject
from shared.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A contract: its routes, whose paths begin with `prefix`, and its shape of an error."""

    name: str
    prefix: str
    router: Router
    render_error: Callable[[InturnError, str], Response]
    document: Callable[[Settings], JsonObject]

    def speaks_for(self, path: str) -> bool:
        """Tell whether this path, known or not, is answered in this dialect."""
        beyond = path[len(self.prefix) : len(self.prefix) + 1]
        return path.startswith(self.prefix) and beyond in {"", "/"}
