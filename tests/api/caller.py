"""A client that believes nothing: every answer must be what its OpenAPI document promises."""

from typing import Any, TypeAlias

import httpx

from tests.api.contracts import broken_promises, document, outcome

__all__ = ["Caller", "Json", "broken_promises", "document", "outcome"]

Json: TypeAlias = Any


class Caller:
    """One credential's way to call; of any contract, as the URL says."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        self.http = http
        self.key = key

    async def call(
        self, method: str, url: str, json: Json = None, **headers: str
    ) -> httpx.Response:
        """Call; `Prefer="wait=1"` and the like become headers, `_` a dash."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        own = {"X-API-Key": self.key} if self.key else {}
        response = await self.http.request(method, url, json=json, headers=own | sent)
        broken = broken_promises(response)
        assert not broken, f"{method} {url}: {broken}"
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
