"""Which contract a URL belongs to, what its document promises, and how it tells an error."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import httpx

from ingress.app import DIALECTS
from ingress.dialects import Dialect
from shared.settings import Settings
from tests.api.promises import mismatches

Schema: TypeAlias = dict[str, Any]

NATIVE = DIALECTS[-1]
_PARAMETER = re.compile(r"\{\w+\}")
_STREAM = "text/event-stream"


def dialect_of(path: str) -> Dialect:
    """Find the contract whose shape everything at this path has, unknown routes too."""
    spoken = (each for each in DIALECTS if each.speaks_for(path.removesuffix("/")))
    return next(spoken, NATIVE)


def named(name: str) -> Dialect:
    return next(each for each in DIALECTS if each.name == name)


@cache
def document(name: str = NATIVE.name) -> Schema:
    """Build the OpenAPI document of a dialect."""
    return named(name).document(Settings())


def outcome(response: httpx.Response) -> str:
    """Summarize an error, whatever its shape: `404 not_found`, `404 SESSION_NOT_FOUND`.

    Powabase has no codes: `404 Session not found`.
    """
    tell = TELL[dialect_of(response.request.url.path).name]
    return f"{response.status_code} {tell(response)}"


def _tell_native(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["correlation_id"] == response.headers["x-correlation-id"]
    return str(problem["code"])


def _tell_elizaos(response: httpx.Response) -> str:
    error = _error(response)
    assert {"code", "message", "timestamp"} <= error.keys() <= _ELIZAOS, error
    return str(error["code"])


def _tell_atthene(response: httpx.Response) -> str:
    error = _error(response)
    assert {"type", "message"} <= error.keys() <= _ATTHENE, error
    assert error["correlation_id"] == response.headers["x-correlation-id"]
    return str(error["type"])


def _tell_powabase(response: httpx.Response) -> str:
    error = _error(response)
    assert isinstance(error, str), error
    return error


def _error(response: httpx.Response) -> Any:  # noqa: ANN401  (as the contract has it)
    assert response.headers["content-type"] == "application/json", response.text
    assert response.is_error, response.text
    return response.json()["error"]


_ELIZAOS = {"code", "message", "timestamp", "details"}
_ATTHENE = {"type", "message", "correlation_id", "details"}
TELL: dict[str, Callable[[httpx.Response], str]] = {
    "native": _tell_native,
    "elizaos": _tell_elizaos,
    "atthene": _tell_atthene,
    "powabase": _tell_powabase,
}


def broken_promises(response: httpx.Response) -> list[str]:
    """Compare an answer with its dialect's document; of unknown routes, the shape of the error."""
    path = response.request.url.path
    name = dialect_of(path).name
    found = operation_of(response.request)
    if found is None:
        return _unknown_route(name, response) if dialect_of(path).speaks_for(path) else []
    promised = found["responses"].get(str(response.status_code))
    if promised is None:
        return [f"{response.status_code} is not documented"]
    content = promised.get("content", {})
    if not content:
        return [] if not response.content else ["has a body that is not documented"]
    media_type = response.headers.get("content-type")
    if media_type not in content:
        return [f"expected {', '.join(content)}, got {media_type}"]
    if media_type == _STREAM:
        return []
    return mismatches(document(name), content[media_type]["schema"], response.json())


def _unknown_route(name: str, response: httpx.Response) -> list[str]:
    if not response.is_error or not response.content:
        return []
    problem = document(name)["components"]["schemas"]["Problem"]
    return mismatches(document(name), problem, response.json())


def operation_of(request: httpx.Request) -> Schema | None:
    """Find what the document says of this request: the template with the fewest parameters."""
    path = request.url.path.removesuffix("/")
    paths: Schema = document(dialect_of(path).name)["paths"]
    for template in sorted(paths, key=lambda each: each.count("{")):
        pattern = "[^/]+".join(map(re.escape, _PARAMETER.split(template.removesuffix("/"))))
        if re.fullmatch(pattern, path):
            found: Schema | None = paths[template].get(request.method.lower())
            if found:
                return found
    return None
