"""`inturn migrate`: bring the database to this version."""

import asyncio

import typer

from inturn.opened import migrated
from inturn.refused import without_password
from inturn.start import start


def migrate() -> None:
    """Bring the database to this version; run it once, before the other processes start.

    Doing it again changes nothing. `inturn serve` does it by itself.

    For example:

        INTURN_DATABASE_URL=postgresql+asyncpg://... inturn migrate
    """
    settings = start()
    asyncio.run(migrated(settings))
    typer.echo(f"{without_password(settings.database)} is up to date")
