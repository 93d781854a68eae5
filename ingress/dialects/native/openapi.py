"""The OpenAPI document: what FastAPI knows of the routes, and what all of them share."""

from fastapi import APIRouter

from ingress.dialects.native.describe import RATES, problem
from ingress.dialects.native.wire.batch import BatchedMessage
from ingress.dialects.native.wire.event import EVENT_ID
from ingress.dialects.native.wire.problem import Problem
from ingress.idempotency import HEADER, REPLAYED
from ingress.openapi import Document, build, declare, reference
from shared.domain.jsontypes import JsonObject
from shared.settings import Settings

_ABOUT = """Every message, in turn: post messages to sessions, get a receipt at once, and poll or
wait for the answers. A session's messages are answered in order, one run at a time.

Ids are printed typed (`sess_` and 32 hex digits) and read in that spelling or as a UUID.
Unknown fields and parameters are refused. What belongs to somebody else is `404`.
Errors are `application/problem+json` with a stable `code`."""

_PREFER: JsonObject = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N`, 1 to 60 seconds: hold the answer until the run has ended or waits.",
    "schema": {"type": "string"},
    "example": "wait=10",
}
_IF_NONE_MATCH: JsonObject = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` seen last; 304 while it is still the same.",
    "schema": {"type": "string"},
    "example": '"native-7"',
}
_LAST_EVENT_ID: JsonObject = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The id of the last event seen, as a reconnecting `EventSource` sends it.",
    "schema": {"type": "string", "maxLength": 28, "pattern": EVENT_ID},
    "example": "7-42",
}
_REPLAYED: JsonObject = {
    REPLAYED: {
        "description": "`true` where this is the first answer to the same key once more.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
_IF_MATCH: JsonObject = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The `ETag` of what was read; 412 once it has changed.",
    "schema": {"type": "string"},
    "example": '"state-7"',
}
_PARAMETERS = (_PREFER, _IF_NONE_MATCH, _IF_MATCH, _LAST_EVENT_ID)
_SAID = ("NewMessage", "BatchedMessage", "ScheduledMessage", "InitialMessage")
_CREATED = {"201", "202"}
_CREATES = {"/v1/messages:batch": {"200"}, "/v1/keys/{key_id}/rotate": {"200"}}
_RATED = {"/v1/messages:batch", "/v1/sessions/{session_id}/messages"}
_HEADERS = {
    "/v1/sessions/{session_id}/messages": {"post": "Prefer"},
    "/v1/sessions/{session_id}/status": {"get": "If-None-Match"},
    "/v1/status:query": {"post": "If-None-Match"},
    "/v1/sessions/{session_id}/state": {"patch": "If-Match"},
    "/v1/sessions/{session_id}/events": {"get": "Last-Event-ID"},
    "/v1/runs/{run_id}/events": {"get": "Last-Event-ID"},
}
_ALWAYS = (401, 422, 500, 503)


def document(router: APIRouter, settings: Settings) -> Document:
    """Build the document of this contract as these settings bound it."""
    made = build(
        router,
        title="Inturn",
        about=_ABOUT,
        error=Problem,
        always=_ALWAYS,
        tell=problem,
        parameters=_PARAMETERS,
    )
    schemas = made["components"]["schemas"]
    declare(schemas, BatchedMessage)
    for name in _SAID:
        _bound_content(schemas[name], settings.max_content_chars)
    for path, operations in made["paths"].items():
        if "post" in operations:
            _name_idempotency(operations["post"], _CREATES.get(path, _CREATED))
        if path in _RATED:
            _name_rates(operations["post"])
        for method, name in _HEADERS.get(path, {}).items():
            operations[method]["parameters"].append(reference(name))
    return made


def _bound_content(schema: Document, max_chars: int) -> None:
    for shape in schema["properties"]["content"]["oneOf"]:
        if shape["type"] == "string":
            shape["maxLength"] = max_chars


def _name_idempotency(operation: Document, statuses: set[str]) -> None:
    created = statuses & operation["responses"].keys()
    if created and not created & _CREATED:
        operation["parameters"].append(reference(HEADER))
    for status in created:
        operation["responses"][status].setdefault("headers", {}).update(_REPLAYED)


def _name_rates(operation: Document) -> None:
    for status in {"200", "202", "429"} & operation["responses"].keys():
        operation["responses"][status].setdefault("headers", {}).update(RATES)
