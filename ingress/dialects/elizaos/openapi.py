"""The OpenAPI document of this contract."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from ingress.auth import allows_anonymous
from ingress.dialects.elizaos.wire.error import Problem
from ingress.openapi import Document, build
from shared.settings import Settings

_ABOUT = """Conversations that expire: create a session of a user with an agent, send it messages,
and get the agent's answers with the response, as a stream, or over a socket.

Ids are UUIDs. Unknown fields and parameters are ignored. What belongs to somebody else is `404`.
Every error is `{"error": {"code", "message", "timestamp", "details"}}`."""
_HEALTH = "/api/messaging/sessions/health"
_ALWAYS = (400, 401, 500, 503)


def document(router: APIRouter) -> Callable[[Settings], Document]:
    """Return what builds the document."""

    def made(settings: Settings) -> Document:
        built = build(router, title="ElizaOS", about=_ABOUT, error=Problem, always=_ALWAYS)
        for operations in built["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("415", None)  # it is a 400 here
                if "requestBody" in operation:
                    operation["requestBody"]["required"] = True
        if allows_anonymous(settings):
            built["security"].insert(0, {})
        _open(built["paths"][_HEALTH]["get"])
        return built

    return made


def _open(health: Document) -> None:
    """Describe a route that asks for no credential, and answers itself when it is not well."""
    health["security"] = [{}, *({name: []} for name in ("ApiKey", "Bearer"))]
    content: dict[str, Any] = health["responses"]["503"]["content"]["application/json"]
    own = health["responses"]["200"]["content"]["application/json"]["schema"]
    content["schema"] = {"anyOf": [own, content["schema"]]}
