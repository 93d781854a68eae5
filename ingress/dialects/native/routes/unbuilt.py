"""What the contract names and nobody has built yet: refused after asking who calls."""

from ingress.call import Call
from ingress.route import StrictRoute
from shared.domain.errors import FieldError, NotSupported
from shared.domain.principal import Scope

_ROUTES = (
    "GET /knowledge-bases",
    "POST /knowledge-bases",
    "GET /knowledge-bases/{id}",
    "PATCH /knowledge-bases/{id}",
    "DELETE /knowledge-bases/{id}",
    "POST /knowledge-bases/{id}/search",
    "GET /knowledge-bases/{id}/sources",
    "POST /knowledge-bases/{id}/sources",
    "GET /knowledge-bases/{id}/sources/{source}",
    "DELETE /knowledge-bases/{id}/sources/{source}",
    "POST /knowledge-bases/{id}/sources/{source}/reindex",
    "GET /chunks/{id}/answers",
    "GET /sources/{id}/answers",
)
_ADMIN_ROUTES = ("GET /ops/audit",)


async def refuse(call: Call) -> None:
    """Never called: `read` refuses first."""


class Unbuilt(StrictRoute):
    """Knows who calls, and reads nothing."""

    async def read(self, call: Call) -> None:
        error = NotSupported(("path",))
        error.detail = f"This server has no {call.method} {self.path} yet."
        error.errors = (FieldError(("path",), "not built yet"),)
        raise error


class UnbuiltAdmin(Unbuilt):
    """The same, for keys of scope admin."""

    scope = Scope.ADMIN


def _build(kind: type[Unbuilt], name: str) -> Unbuilt:
    method, path = name.split()
    return kind(f"/v1{path}", refuse, methods=[method], include_in_schema=False)


ROUTES = [_build(Unbuilt, name) for name in _ROUTES]
ROUTES += [_build(UnbuiltAdmin, name) for name in _ADMIN_ROUTES]
