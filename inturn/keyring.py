"""Where `inturn keys` works: on the database, or through the server that owns it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from inturn.client import Client, connect
from inturn.opened import opened_keys
from inturn.refused import OwnedElsewhere
from inturn.start import read_settings
from shared import ids
from shared.clock import iso
from shared.domain.paging import MAX_LIMIT, Page
from shared.domain.printed import from_key
from shared.domain.requests import NewKey
from shared.ids import KeyId
from shared.service.keys import Keys
from shared.settings import Settings

T = TypeVar("T")
Row = dict[str, Any]  # a key as the native contract prints it


class Keyring(Protocol):
    """What the command asks; `create` and `rotate` add the secret as `key`."""

    def create(self, new: NewKey) -> Row: ...
    def list(self) -> list[Row]: ...
    def rotate(self, key_id: KeyId, overlap_seconds: int) -> Row: ...
    def revoke(self, key_id: KeyId) -> None: ...


class DirectKeyring:
    """Opens the database for each verb; it is as privileged as whoever holds its URL."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def create(self, new: NewKey) -> Row:
        """Make a key."""
        key, secret = self._run(lambda keys: keys.create(new))
        return {**from_key(key), "key": secret}

    def list(self) -> list[Row]:
        """List every key, oldest first."""
        return self._run(_all)

    def rotate(self, key_id: KeyId, overlap_seconds: int) -> Row:
        """Give a key another secret."""
        key, secret = self._run(lambda keys: keys.rotate(key_id, overlap_seconds=overlap_seconds))
        return {**from_key(key), "key": secret}

    def revoke(self, key_id: KeyId) -> None:
        """End a key."""
        self._run(lambda keys: keys.revoke(key_id))

    def _run(self, verb: Callable[[Keys], Awaitable[T]]) -> T:
        async def run() -> T:
            async with opened_keys(self._settings) as keys:
                return await verb(keys)

        return asyncio.run(run())


class ServedKeyring:
    """Asks the running server, which owns the SQLite file."""

    def create(self, new: NewKey) -> Row:
        """Make a key."""
        body: Row = {"name": new.name, "scope": new.scope, "tenant": new.tenant}
        expires_at = iso(new.expires_at) if new.expires_at is not None else None
        given = {
            "user_id": new.user_id,
            "expires_at": expires_at,
            "rate_limit": new.rate_limit,
            "max_running": new.max_running,
        }
        body |= {name: value for name, value in given.items() if value is not None}
        with connect() as client:
            made: Row = client.ask("POST", "/v1/keys", body=body).json()
            return made

    def list(self) -> list[Row]:
        """List every key, oldest first."""
        with connect() as client:
            return _pages(client)

    def rotate(self, key_id: KeyId, overlap_seconds: int) -> Row:
        """Give a key another secret."""
        path = f"/v1/keys/{ids.spell('key', key_id)}/rotate"
        with connect() as client:
            rotated: Row = client.ask(
                "POST", path, body={"overlap_seconds": overlap_seconds}
            ).json()
            return rotated

    def revoke(self, key_id: KeyId) -> None:
        """End a key."""
        with connect() as client:
            client.ask("DELETE", f"/v1/keys/{ids.spell('key', key_id)}")


def use(verb: Callable[[Keyring], T]) -> T:
    """Do `verb` on the database, or through the server where that has the database to itself."""
    try:
        return verb(DirectKeyring(read_settings()))
    except OwnedElsewhere:
        return verb(ServedKeyring())


async def _all(keys: Keys) -> list[Row]:
    rows: list[Row] = []
    page = Page(limit=MAX_LIMIT)
    while True:
        listing = await keys.list(page)
        rows += map(from_key, listing.data)
        if listing.next_cursor is None:
            return rows
        page = Page(limit=MAX_LIMIT, cursor=listing.next_cursor)


def _pages(client: Client) -> list[Row]:
    rows: list[Row] = []
    query: dict[str, str | int] = {"limit": MAX_LIMIT, "order": "asc"}
    while True:
        page = client.ask("GET", "/v1/keys", query=query).json()
        rows += page["data"]
        if page["next_cursor"] is None:
            return rows
        query["cursor"] = page["next_cursor"]
