"""`inturn watch`: follow a session."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from inturn.client import Client, connect
from inturn.send import text_of

_RESTING = {"idle", "error", "ended"}
_RECENT = 50
_COLORS = {"running": "green", "queued": "yellow", "waiting": "magenta", "error": "red"}

Json = dict[str, Any]


def watch(
    session: Annotated[str, typer.Argument(help="The session to follow.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One status body a line.")] = False,
    until_idle: Annotated[bool, typer.Option(help="Leave when nothing is left to do.")] = False,
) -> None:
    """Follow a session: its status as it changes, its messages as they come; Ctrl-C leaves.

    For example:

        inturn watch sess_0190...

        inturn watch sess_0190... --json --until-idle | tail -n 1
    """
    with connect() as client:
        bodies = follow(client, session, until_idle=until_idle)
        try:
            _print_lines(bodies) if as_json else _show(client, session, bodies)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def follow(client: Client, session: str, *, until_idle: bool) -> Iterator[Json]:
    """Yield the status body now and whenever it has changed."""
    headers: dict[str, str] = {}
    while True:
        answer = client.ask(
            "GET",
            f"/v1/sessions/{session}/status",
            query={"wait": 30} if headers else None,
            headers=headers,
        )
        if answer.content:
            headers = {"If-None-Match": answer.headers["ETag"]}
            body: Json = answer.json()
            yield body
            if until_idle and body["status"] in _RESTING:
                return


def _print_lines(bodies: Iterator[Json]) -> None:
    for body in bodies:
        typer.echo(json.dumps(body, ensure_ascii=False))


def _show(client: Client, session: str, bodies: Iterator[Json]) -> None:
    console = Console()
    seen: set[str] = set()
    with Live(console=console, auto_refresh=False) as live:
        for body in bodies:
            for message in _unseen(client, session, seen):
                console.print(_spoken(message))
            live.update(_status(body), refresh=True)


def _unseen(client: Client, session: str, seen: set[str]) -> list[Json]:
    page = client.ask(
        "GET", f"/v1/sessions/{session}/messages", query={"order": "desc", "limit": _RECENT}
    ).json()
    fresh = [message for message in reversed(page["data"]) if message["id"] not in seen]
    seen.update(message["id"] for message in fresh)
    return fresh


def _spoken(message: Json) -> str:
    return f"[bold]{message['role']}[/bold] {escape(text_of(message['content']))}"


def _status(body: Json) -> Table:
    table = Table.grid(padding=(0, 2))
    color = _COLORS.get(body["status"], "default")
    table.add_row("status", f"[{color}]{body['status']}[/{color}]", f"version {body['version']}")
    table.add_row("queued", str(body["queue_depth"]), f"messages {body['message_count']}")
    for name in ("active_run", "last_run"):
        run = body[name]
        said = (run.get("error") or {}).get("message", "") if run else ""
        table.add_row(name, run["id"] if run else "-", escape(said) if run else "")
    return table
