"""A client that believes nothing: every answer must be what the OpenAPI document promises."""

import re
from functools import cache
from typing import Any, TypeAlias

import httpx

from ingress.dialects import native
from shared.settings import Settings
from tests.api.promises import mismatches

Json: TypeAlias = Any


@cache
def document() -> dict[str, Any]:
    return native.DIALECT.document(Settings())


class Caller:
    """One key's way to call."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        self.http = http
        self.key = key

    async def call(
        self, method: str, url: str, json: Json = None, **headers: str
    ) -> httpx.Response:
        """Call; `Prefer="wait=1"` and the like become headers, `_` a dash."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.http.request(
            method, url, json=json, headers={"X-API-Key": self.key, **sent}
        )
        assert broken_promises(response) == []
        return response

    async def ok(self, method: str, url: str, json: Json = None, **headers: str) -> Json:
        """Call and return the body of a success."""
        response = await self.call(method, url, json, **headers)
        assert response.is_success, response.text
        return response.json() if response.content else None

    async def refused(self, method: str, url: str, json: Json = None, **headers: str) -> str:
        """Call and return the status and code of a failure: `404 not_found`."""
        response = await self.call(method, url, json, **headers)
        return outcome(response)


def outcome(response: httpx.Response) -> str:
    """Summarize an error: `404 not_found`."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["correlation_id"] == response.headers["x-correlation-id"]
    return f"{response.status_code} {problem['code']}"


def broken_promises(response: httpx.Response) -> list[str]:
    """Compare an answer of a documented route with its documentation."""
    operation = operation_of(response.request)
    if operation is None:
        return []
    promised = operation["responses"].get(str(response.status_code))
    if promised is None:
        return [f"{response.status_code} is not documented"]
    content = promised.get("content", {})
    if not content:
        return [] if not response.content else ["has a body that is not documented"]
    media_type = response.headers.get("content-type")
    if media_type not in content:
        return [f"expected {', '.join(content)}, got {media_type}"]
    if media_type == "text/event-stream":
        return []
    return mismatches(document(), content[media_type]["schema"], response.json())


def operation_of(request: httpx.Request) -> dict[str, Any] | None:
    for template, operations in document()["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, request.url.path.removesuffix("/")):
            found: dict[str, Any] | None = operations.get(request.method.lower())
            if found:
                return found
    return None
