"""An OpenAPI document: what FastAPI knows of the routes, and what every dialect adds."""

from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from ingress.idempotency import HEADER, MAX_LENGTH, REPLAYED

Document: TypeAlias = dict[str, Any]

SCHEMES: Document = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
}
CORRELATION: Document = {
    "name": "X-Correlation-ID",
    "in": "header",
    "required": False,
    "description": "Stored with what is written, echoed on the answer; made up when absent.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[\x21-\x7e]+$"},
}
IDEMPOTENCY_KEY: Document = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same key with the same request gets the first answer again, status and"
    f" body, with `{REPLAYED}: true`. Only success is remembered, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
    "example": "order-4711",
}
WITH_BODY = (400, 413, 415)
_INVALID = "HTTPValidationError"


def build(
    router: APIRouter,
    *,
    title: str,
    about: str,
    error: type[BaseModel],
    always: Iterable[int],
    tell: Callable[[int], Document] | None = None,
    parameters: Iterable[Document] = (),
) -> Document:
    """Build the document of a dialect: its routes, and the errors that every one can answer.

    `tell` describes an error where JSON of the model `error` is not all; `parameters` are what
    routes may refer to beside those of every dialect.
    """
    made: Document = get_openapi(title=title, version="1", description=about, routes=router.routes)
    components = made.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    shared = (CORRELATION, IDEMPOTENCY_KEY, *parameters)
    components["parameters"] = {each["name"]: each for each in shared}
    schemas = components.setdefault("schemas", {})
    declare(schemas, error)
    made["security"] = [{name: []} for name in SCHEMES]
    for operations in made["paths"].values():
        for method, operation in operations.items():
            _complete(operation, method, tell or partial(failure, error=error), always)
    return made


def declare(schemas: Document, *models: type[BaseModel]) -> None:
    """Describe what no route says it takes or gives."""
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    schemas.pop(_INVALID, None)
    schemas.pop("ValidationError", None)


def reference(name: str) -> Document:
    """Refer to a parameter."""
    return {"$ref": f"#/components/parameters/{name}"}


def _complete(
    operation: Document, method: str, tell: Callable[[int], Document], always: Iterable[int]
) -> None:
    if _INVALID in str(operation["responses"].get("422")):
        del operation["responses"]["422"]  # FastAPI's own, which no dialect speaks
    parameters = operation.setdefault("parameters", [])
    parameters.append(reference("X-Correlation-ID"))
    if method == "post" and {"201", "202"} & operation["responses"].keys():
        parameters.append(reference(HEADER))
    for status in (*always, *(WITH_BODY if "requestBody" in operation else ())):
        operation["responses"][str(status)] = tell(status)


def failure(status: int, error: type[BaseModel]) -> Document:
    """Describe an error."""
    schema = {"$ref": f"#/components/schemas/{error.__name__}"}
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": schema}},
    }
