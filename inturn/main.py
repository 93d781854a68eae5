"""The command `inturn`: this file only lists its verbs, each at home in the file of its name."""

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from inturn.refused import EXIT_REFUSED, Refused
from shared.domain.errors import InturnError

PANELS = {
    "Processes": ("serve", "ingress", "worker", "sweeper", "migrate"),
    "Work": ("send", "watch", "doctor", "healthy", "keys"),
}


def app() -> None:
    """Run the command; whatever stops it is said in one sentence."""
    try:
        command(sys.argv[1:])()
    except (Refused, InturnError) as reason:
        typer.echo(f"inturn: {' '.join(str(reason).split())}", err=True)
        sys.exit(EXIT_REFUSED)


def command(arguments: Sequence[str]) -> typer.Typer:
    """Build the command: all its verbs, or the one that `arguments` name.

    The verbs are imported when needed, because `send` need not wait for what `serve` is made of.
    """
    verbs = typer.Typer(
        name="inturn",
        help="Every message, in turn: post messages to agents, run one at a time per session, "
        "read the answers.\n\nSettings are environment variables that begin with INTURN_.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        callback=lambda: None,
    )
    for panel, names in PANELS.items():
        for name in names:
            if name in arguments[:1] or not is_verb(arguments):
                _add(verbs, name, panel)
    return verbs


def is_verb(arguments: Sequence[str]) -> bool:
    """Whether they begin with the name of a verb."""
    return any(name in arguments[:1] for names in PANELS.values() for name in names)


def _add(verbs: typer.Typer, name: str, panel: str) -> None:
    verb = getattr(import_module(f"inturn.{name}"), name)
    if isinstance(verb, typer.Typer):
        verbs.add_typer(verb, rich_help_panel=panel)
    else:
        verbs.command(rich_help_panel=panel)(verb)
