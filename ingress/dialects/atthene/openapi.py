"""The OpenAPI document of this contract."""

from collections.abc import Callable

from fastapi import APIRouter

from ingress.dialects.atthene.route import YAML
from ingress.dialects.atthene.wire.error import Problem
from ingress.idempotency import HEADER
from ingress.openapi import Document, build, reference
from shared.settings import Settings

_ABOUT = """Sessions with an agent that is there, or with one that they bring along, and executions
that wait for the answer.

Paths may end in a slash. Ids are `sess_` or `msg_` and 32 hex digits; sessions are also read as
UUIDs. Unknown fields and parameters are ignored. What belongs to somebody else is `404`.
Every error is `{"error": {"type", "message", "correlation_id", "details"}}`."""
_CREATE = "/api/v1/sessions"


def document(router: APIRouter) -> Callable[[Settings], Document]:
    """Return what builds the document."""

    def made(settings: Settings) -> Document:
        built = build(
            router, title="Atthene", about=_ABOUT, error=Problem, always=(400, 401, 500, 503)
        )
        for operations in built["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)  # it is a 400 here
                if "429" in operation["responses"]:
                    operation["parameters"].append(reference(HEADER))
        content = built["paths"][_CREATE]["post"]["requestBody"]["content"]
        content |= dict.fromkeys(YAML, content["application/json"])
        _bound(built["components"]["schemas"]["Execute"], settings.max_content_chars)
        return built

    return made


def _bound(schema: Document, max_chars: int) -> None:
    for shape in schema["properties"]["content"]["oneOf"]:
        if shape["type"] == "string":
            shape["maxLength"] = max_chars
