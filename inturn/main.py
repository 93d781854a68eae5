"""The command `inturn`: this file only lists its verbs."""

import sys
from collections.abc import Callable

import typer

from inturn import keys
from inturn.doctor import doctor
from inturn.ingress import ingress
from inturn.migrate import migrate
from inturn.refused import EXIT_REFUSED, Refused
from inturn.send import send
from inturn.serve import serve
from inturn.sweeper import sweeper
from inturn.watch import watch
from inturn.worker import worker
from shared.domain.errors import InturnError

verbs = typer.Typer(
    name="inturn",
    help="Every message, in turn: post messages to agents, run one at a time per session, "
    "read the answers.\n\nSettings are environment variables that begin with INTURN_.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

PROCESSES: tuple[Callable[..., None], ...] = (serve, ingress, worker, sweeper, migrate)
WORK: tuple[Callable[..., None], ...] = (send, watch, doctor)

for verb in PROCESSES:
    verbs.command(rich_help_panel="Processes")(verb)
for verb in WORK:
    verbs.command(rich_help_panel="Work")(verb)
verbs.add_typer(keys.app, rich_help_panel="Work")


def app() -> None:
    """Run the command; whatever stops it is said in one sentence."""
    try:
        verbs()
    except (Refused, InturnError) as reason:
        typer.echo(f"inturn: {' '.join(str(reason).split())}", err=True)
        sys.exit(EXIT_REFUSED)
