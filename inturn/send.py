"""`inturn send`: post a message and print the answer."""

import json
import sys
import time
from typing import Annotated, Any

import typer

from inturn.client import Client, connect

_UNSETTLED = {"queued", "running"}
_HELD = 60  # the longest the server holds one answer, in seconds


def send(
    content: Annotated[str, typer.Argument(help="What to say; `-` reads it from stdin.")],
    agent: Annotated[str, typer.Option(help="Who answers, when a session is made.")] = "echo",
    session: Annotated[str | None, typer.Option(help="Go on in this session.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait; 0: print the run id.")] = 60,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> None:
    """Post a message and print the answer.

    The session is said on stderr, so that the answer alone is on stdout. Exit 1: no answer.

    For example:

        inturn send "Hello"

        inturn send --session sess_0190... "And then?"

        cat question.txt | inturn send --agent librarian --wait 300 -
    """
    text = sys.stdin.read() if content == "-" else content
    with connect() as client:
        session_id = session or _open(client, agent)
        typer.echo(f"session {session_id}", err=True)
        run = _post(client, session_id, text, wait)
    _print(run, wait=wait, as_json=as_json)


def _open(client: Client, agent: str) -> str:
    made = client.ask("POST", "/v1/sessions", body={"agent": agent}).json()
    return str(made["id"])


def _post(client: Client, session_id: str, text: str, wait: float) -> dict[str, Any]:
    until = time.monotonic() + wait
    accepted = client.ask(
        "POST",
        f"/v1/sessions/{session_id}/messages",
        body={"content": text},
        headers={"Prefer": f"wait={min(round(wait), _HELD)}"} if wait >= 1 else None,
    )
    run: dict[str, Any] = accepted.json()["run"]
    while run["status"] in _UNSETTLED and (left := until - time.monotonic()) > 0:
        held = max(1, min(round(left), _HELD))
        run = client.ask("GET", f"/v1/runs/{run['id']}", query={"wait": held}).json()
    return run


def _print(run: dict[str, Any], *, wait: float, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(run, ensure_ascii=False))
    elif not wait:
        typer.echo(run["id"])
    elif run["output"]:
        typer.echo(text_of(run["output"]["content"]))
    if wait and run["status"] != "succeeded":
        typer.echo(f"inturn: {_why(run, wait)}", err=True)
        raise typer.Exit(1)


def _why(run: dict[str, Any], wait: float) -> str:
    if run["status"] in _UNSETTLED:
        return f"{run['id']} is still {run['status']} after {wait:g} s."
    if run["error"]:
        return f"{run['id']} failed: {run['error']['code']}: {run['error']['message']}"
    return f"{run['id']} is {run['status']}."


def text_of(content: str | list[dict[str, Any]]) -> str:
    """Flatten content blocks to what a terminal can show."""
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text") or f"[{block['type']}]" for block in content)
