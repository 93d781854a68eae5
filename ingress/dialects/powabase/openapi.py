"""The OpenAPI document of this contract."""

from collections.abc import Callable

from fastapi import APIRouter

from ingress.dialects.powabase.wire.error import Problem
from ingress.idempotency import HEADER
from ingress.openapi import Document, build, reference
from shared.settings import Settings

_ABOUT = """The Powabase contract, on the sessions, messages and runs of this server.

`session_id` and `run_id` are printed typed (`sess_` and 32 hex digits), every other id as a UUID;
both are read in either spelling. What belongs to somebody else is `404`. Errors are
`{"error": "<message>"}`. What cannot be done is refused; fields that nobody knows are ignored."""
_ALWAYS = (400, 401, 500, 503)
_ASKING = ("/api/agents/{agent_id}/run", "/api/agents/{agent_id}/run/stream")


def document(router: APIRouter) -> Callable[[Settings], Document]:
    """Return what builds the document."""

    def made(settings: Settings) -> Document:
        told = build(router, title="Powabase", about=_ABOUT, error=Problem, always=_ALWAYS)
        for operations in told["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)  # this contract has none
        for path in _ASKING:
            told["paths"][path]["post"]["parameters"].append(reference(HEADER))
        message = told["components"]["schemas"]["RunAgent"]["properties"]["message"]
        message["maxLength"] = settings.max_content_chars
        return told

    return made
