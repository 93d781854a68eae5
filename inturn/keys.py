"""`inturn keys`: who may call."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from inturn.keyring import Row, use
from inturn.refused import refuse
from shared import ids
from shared.clock import Instant, from_datetime
from shared.domain.agent import MAX_RUNNING
from shared.domain.principal import DEFAULT_TENANT, MAX_OVERLAP_SECONDS, Scope
from shared.domain.rates import OFF, parse_rate
from shared.domain.requests import NewKey
from shared.ids import KeyId

keys = typer.Typer(
    name="keys",
    help="Make, list, rotate and revoke API keys.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

KeyOption = Annotated[str, typer.Argument(help="Its id, from `inturn keys list`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SHOWN = (
    "id", "name", "scope", "tenant", "user_id", "rate_limit", "max_running", "created_at",
    "revoked_at",
)  # fmt: skip
_NAME_MAX, _USER_MAX = 200, 255


@keys.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[Scope, typer.Option(help="What it may do.")] = Scope.SERVICE,
    tenant: Annotated[str, typer.Option(help="Whose sessions.")] = DEFAULT_TENANT,
    user_id: Annotated[str | None, typer.Option(help="Whose, for scope user.")] = None,
    expires_at: Annotated[
        datetime | None, typer.Option(help="UTC, as 2030-01-31T12:00:00; never if left out.")
    ] = None,
    rate_limit: Annotated[
        str | None, typer.Option(help="How often it may post, as 100/m;burst=20, or off.")
    ] = None,
    max_running: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_RUNNING,
            help="How many runs of its tenant and user may run at once; the last key's counts.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: only now, for just its hash is kept.

    For example:

        inturn keys create --name shop

        inturn keys create --name ann --scope user --user-id ann --rate-limit 60/m

        INTURN_API_KEY=$(inturn keys create --name ops --scope admin)
    """
    new = NewKey(
        name=_short("--name", name, _NAME_MAX),
        scope=scope,
        tenant=_short("--tenant", tenant, _NAME_MAX),
        user_id=_user(scope, user_id),
        expires_at=_instant(expires_at),
        rate_limit=_rate(rate_limit),
        max_running=max_running,
    )
    row = use(lambda keyring: keyring.create(new))
    _show(row, as_json=as_json)


@keys.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the keys, without their secrets.

    For example:

        inturn keys list

        inturn keys list --json | grep '"revoked_at": null'
    """
    rows = use(lambda keyring: keyring.list())
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        typer.echo(_aligned(rows))


@keys.command()
def rotate(
    key: KeyOption,
    overlap_seconds: Annotated[
        int,
        typer.Option(min=0, max=MAX_OVERLAP_SECONDS, help="How long the old secret still passes."),
    ] = 0,
    *,
    as_json: AsJson = False,
) -> None:
    """Give a key another secret and print it, only now; all else about the key stays.

    For example:

        inturn keys rotate key_0190... --overlap-seconds 3600
    """
    key_id = _key(key)
    _show(use(lambda keyring: keyring.rotate(key_id, overlap_seconds)), as_json=as_json)


@keys.command()
def revoke(key: KeyOption) -> None:
    """End a key; within seconds no process takes it any more.

    For example:

        inturn keys revoke key_0190...
    """
    key_id = _key(key)
    use(lambda keyring: keyring.revoke(key_id))
    typer.echo(f"revoked {ids.spell('key', key_id)}", err=True)


def _show(row: Row, *, as_json: bool) -> None:
    typer.echo(json.dumps(row, ensure_ascii=False) if as_json else row["key"])
    typer.echo(f"{row['id']}: shown once, keep it", err=True)


def _key(text: str) -> KeyId:
    try:
        return KeyId(ids.parse("key", text))
    except ValueError as error:
        refuse(f"'{text}' is no key's id: {error}.")


def _rate(text: str | None) -> str | None:
    try:
        parse_rate(text or OFF)
    except ValueError as error:
        refuse(f"--rate-limit is '{text}'; allowed: {error}.")
    return text


def _user(scope: Scope, user_id: str | None) -> str | None:
    if scope is Scope.USER and user_id is None:
        refuse("a key of scope user needs --user-id.")
    return None if user_id is None else _short("--user-id", user_id, _USER_MAX)


def _short(option: str, text: str, most: int) -> str:
    if not 1 <= len(text) <= most or not text.isprintable():
        refuse(f"{option} takes 1 to {most} printable characters.")
    return text


def _instant(moment: datetime | None) -> Instant | None:
    if moment is None:
        return None
    if moment.replace(tzinfo=UTC) <= datetime.now(UTC):
        refuse("--expires-at has passed.")
    return from_datetime(moment.replace(tzinfo=UTC))


def _aligned(rows: list[Row]) -> str:
    table = [_SHOWN, *(tuple(str(row[name] or "-") for name in _SHOWN) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (zip(cells, widths, strict=True) for cells in table)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in line) for line in lines)
