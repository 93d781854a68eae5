"""`inturn healthy`: does the process beside me answer?"""

import http.client
import os
from typing import Annotated
from urllib.parse import urlsplit

import typer

from inturn.refused import refuse

_SECONDS = 4.0
_ANYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104  # compared, not bound
_WELL = 200


def healthy(
    url: Annotated[str | None, typer.Option(help="Where it serves; found by the settings.")] = None,
    *,
    ready: Annotated[bool, typer.Option("--ready", help="And reaches its database.")] = False,
) -> None:
    """Exit 0 if a process answers /healthz, else 1: for whoever restarts what hangs.

    It is asked where INTURN_METRICS_PORT says, else INTURN_PORT: the environment of the process.
    A process that waits for its database is not one to restart; a load balancer asks --ready.

    For example:

        inturn healthy

        inturn healthy --ready --url http://127.0.0.1:8000
    """
    place = urlsplit(url or _beside())
    if place.scheme != "http" or not place.hostname:
        refuse(f"'{url}' is no http:// address.")
    path = "/readyz" if ready else "/healthz"
    said = _ask(place.hostname, place.port or 80, path)
    if said is not None:
        typer.echo(f"inturn: {place.hostname} port {place.port}{path}: {said}", err=True)
        raise typer.Exit(1)


def _beside() -> str:
    """Read the environment itself: asked every few seconds, this must not load what a server is."""
    host = os.environ.get("INTURN_HOST", "")
    host = "127.0.0.1" if host in _ANYWHERE else f"[{host}]" if ":" in host else host
    port = os.environ.get("INTURN_METRICS_PORT", "0").strip()
    if port in {"", "0"}:
        port = os.environ.get("INTURN_PORT", "") or "8000"
    return f"http://{host}:{port}"


def _ask(host: str, port: int, path: str) -> str | None:
    """Return what is wrong, if anything."""
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return None if status == _WELL else f"status {status}"
