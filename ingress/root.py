"""What belongs to no contract: probes, metrics, documentation. None of it asks for a key."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache

import orjson
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router

from ingress.call import PLATFORM
from ingress.dialects import Dialect
from shared import telemetry
from shared.bootstrap import Platform
from shared.domain.errors import InturnError
from shared.domain.health import Readiness
from shared.domain.jsontypes import JsonObject
from shared.settings import Settings

JSON = "application/json"

Endpoint = Callable[[Request], Awaitable[Response]]


def root_router(dialects: Sequence[Dialect], settings: Settings) -> Router:
    """Build the routes beside the dialects; `/docs` shows the last of them, our own."""
    pages = {"/docs": dialects[-1], **{f"/docs/{each.name}": each for each in dialects}}
    endpoints = {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": metrics,
        **{path: docs_of(each, dialects) for path, each in pages.items()},
        **{document_path(each): document_of(each, settings) for each in dialects},
    }
    routes = [Route(path, endpoint) for path, endpoint in endpoints.items()]
    return Router(routes, redirect_slashes=False)


def document_path(dialect: Dialect) -> str:
    """Where a dialect's OpenAPI document is."""
    return f"/openapi/{dialect.name}.json"


async def healthz(_: Request) -> Response:
    """Answer while the process does."""
    return Response(b'{"status":"ok"}', media_type=JSON)


async def readyz(request: Request) -> Response:
    """Look at what we stand on; only without a database are we of no use."""
    readiness = await _platform(request).operations.ready()
    status = 200 if readiness.database.ok else 503
    return Response(orjson.dumps(_readiness(readiness)), status, media_type=JSON)


def _readiness(readiness: Readiness) -> JsonObject:
    probes = {"database": readiness.database, "broker": readiness.broker}
    return {
        "status": "ready" if readiness.database.ok else "unavailable",
        **{name: probe.state for name, probe in probes.items()},
        "latency_ms": {name: probe.latency_ms for name, probe in probes.items()},
    }


async def metrics(request: Request) -> Response:
    """Print this process's metrics, for Prometheus."""
    with suppress(InturnError):  # the database is away: the rest is wanted all the more
        await _platform(request).operations.refresh_metrics()
    body, media_type = telemetry.render()
    return Response(body, headers={"content-type": media_type})


def docs_of(dialect: Dialect, dialects: Sequence[Dialect]) -> Endpoint:
    """Serve a page to read and try the contract, and the way to the other contracts' pages."""
    page = get_swagger_ui_html(openapi_url=document_path(dialect), title=f"Inturn: {dialect.name}")
    links = " · ".join(_link(each, here=each is dialect) for each in reversed(dialects))
    html = bytes(page.body).replace(b"<body>", f"<body>\n<nav>{links}</nav>".encode(), 1)

    async def docs(_: Request) -> Response:
        return HTMLResponse(html)

    return docs


def _link(dialect: Dialect, *, here: bool) -> str:
    shown = f"{dialect.name} <code>{dialect.prefix}</code>"
    return f"<b>{shown}</b>" if here else f'<a href="/docs/{dialect.name}">{shown}</a>'


def document_of(dialect: Dialect, settings: Settings) -> Endpoint:
    """Serve the OpenAPI document, built when first asked for."""
    body = cache(lambda: orjson.dumps(dialect.document(settings)))

    async def document(_: Request) -> Response:
        return Response(body(), media_type=JSON)

    return document


def _platform(request: Request) -> Platform:
    platform: Platform = request.scope[PLATFORM]
    return platform
