"""Idempotency keys: what was answered first, kept in the transaction that created it.

The row of a key is the first thing a transaction writes, so that on PostgreSQL whoever brings
the same key waits for the first one's end. A row without a status was made by this very
transaction: it is answered or deleted before the commit.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Never, Protocol, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.errors import IdempotencyKeyReused
from shared.domain.idempotency import KEPT, Answer, Idempotency
from shared.domain.principal import Principal
from shared.domain.requests import Replayed
from shared.storage.each import Each, Value
from shared.storage.schema import idempotency_keys as keys
from shared.storage.store import Transaction
from shared.storage.types import any_of

Slot: TypeAlias = tuple[UUID, str]


class Keyed(Protocol):
    """What may carry a key: a message at the door, or any other creation."""

    @property
    def principal(self) -> Principal: ...

    @property
    def idempotency(self) -> Idempotency[Never] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    body_hash: bytes
    answer: Answer
    created_at: Instant


_NAMES = ("principal_id", "key", "body_hash", "created_at")


def _insert(make: Callable[[sa.Table], sqlite.Insert | postgresql.Insert]) -> Each:
    def build(value: Value) -> sa.Executable:
        given = {name: value(name) for name in _NAMES}
        insert = make(keys).on_conflict_do_nothing()
        if isinstance(next(iter(given.values())), sa.BindParameter):
            return insert.values(given)
        return insert.from_select(_NAMES, sa.select(*given.values()))

    return Each({name: keys.c[name] for name in _NAMES}, build)


_ENTER = {"sqlite": _insert(sqlite.insert), "postgresql": _insert(postgresql.insert)}
# All keys of all these principals, some of which nobody asked for: one statement, one order.
_READ = (
    sa.select(keys)
    .where(any_of(keys.c.principal_id, "principals"), any_of(keys.c.key, "keys"))
    .order_by(keys.c.principal_id, keys.c.key)
)
_LOCK = _READ.with_for_update()
_ANSWERED = ("body_hash", "status", "response", "location", "run_id", "created_at")
_SAVE = Each(
    {"_principal": keys.c.principal_id, "_key": keys.c.key}
    | {name: keys.c[name] for name in _ANSWERED},
    lambda value: (
        keys.update()
        .where(keys.c.principal_id == value("_principal"), keys.c.key == value("_key"))
        .values({name: value(name) for name in _ANSWERED})
    ),
)
_FORGET = Each(
    {"_principal": keys.c.principal_id, "_key": keys.c.key},
    lambda value: keys.delete().where(
        keys.c.principal_id == value("_principal"), keys.c.key == value("_key")
    ),
)


class Memory:
    """The keys of a batch, locked; duplicates inside the batch share one answer."""

    def __init__(self, known: dict[Slot, _Known], fresh: set[Slot]) -> None:
        self._known = known
        self._fresh = fresh  # rows of our own that have no answer yet
        self._kept: dict[Slot, _Known] = {}

    @classmethod
    async def enter(cls, transaction: Transaction, items: Sequence[Keyed]) -> "Memory":
        """Insert the keys that are new, in order; wait for who inserts the same ones."""
        wanted: dict[Slot, bytes] = {}
        for item in items:
            if item.idempotency is not None:
                wanted.setdefault(_slot(item), item.idempotency.body_hash)
        return cls(*(await _lock(transaction, wanted))) if wanted else cls({}, set())

    def recall(self, item: Keyed, now: Instant) -> Replayed | None:
        """Return the first answer to the same key. Raises IdempotencyKeyReused."""
        if item.idempotency is None:
            return None
        known = self._known.get(_slot(item))
        if known is None or now >= known.created_at + KEPT:
            return None
        if known.body_hash != item.idempotency.body_hash:
            raise IdempotencyKeyReused(
                "This Idempotency-Key came with another request; use a new one for each."
            )
        return Replayed(answer=known.answer)

    def keep(self, item: Keyed, answer: Answer, now: Instant) -> None:
        """Remember what is answered now; a refusal is not remembered."""
        if item.idempotency is not None:
            known = _Known(body_hash=item.idempotency.body_hash, answer=answer, created_at=now)
            self._known[_slot(item)] = self._kept[_slot(item)] = known

    async def write(self, transaction: Transaction) -> None:
        """Write the answers, and forget the keys of what was refused."""
        await _SAVE.execute(transaction, [_row(slot, self._kept[slot]) for slot in self._kept])
        await _FORGET.execute(
            transaction, [_name(slot) for slot in self._fresh - self._kept.keys()]
        )


async def look_up(
    reading: AsyncConnection, items: Sequence[Keyed], now: Instant
) -> list[Replayed | None]:
    """Find first answers without locking anything; null where there is none, or not to this."""
    wanted = {_slot(item) for item in items if item.idempotency}
    rows = await reading.execute(_READ, _named(wanted))
    memory = Memory({(row.principal_id, row.key): _to_known(row) for row in rows}, set())
    found: list[Replayed | None] = []
    for item in items:
        try:
            found.append(memory.recall(item, now))
        except IdempotencyKeyReused:
            found.append(None)
    return found


def _slot(item: Keyed) -> Slot:
    assert item.idempotency is not None  # noqa: S101  (asked by everybody who comes here)
    return item.principal.id, item.idempotency.key


async def _lock(
    transaction: Transaction, wanted: Mapping[Slot, bytes]
) -> tuple[dict[Slot, _Known], set[Slot]]:
    """Return what is known, and which keys were not; all of them are locked."""
    while True:
        await _ENTER[transaction.dialect.name].execute(transaction, list(_entries(wanted)))
        rows = await transaction.execute(_LOCK, _named(wanted))
        found = {(row.principal_id, row.key): row for row in rows}
        if found.keys() >= wanted.keys():  # else one went with its age, between the statements
            break
    known = {slot: _to_known(found[slot]) for slot in wanted if found[slot].status is not None}
    return known, wanted.keys() - known.keys()


def _named(wanted: Iterable[Slot]) -> dict[str, set[UUID] | set[str]]:
    principals, names = {slot[0] for slot in wanted}, {slot[1] for slot in wanted}
    return {"principals": principals, "keys": names}


def _entries(wanted: Mapping[Slot, bytes]) -> Iterable[dict[str, object]]:
    for slot in sorted(wanted):
        yield {
            "principal_id": slot[0],
            "key": slot[1],
            "body_hash": wanted[slot],
            "created_at": 0,
        }


def _to_known(row: sa.Row[Any]) -> _Known:
    answer = Answer(status=row.status, body=row.response, location=row.location, run_id=row.run_id)
    return _Known(body_hash=row.body_hash, answer=answer, created_at=row.created_at)


def _name(slot: Slot) -> dict[str, object]:
    return {"_principal": slot[0], "_key": slot[1]}


def _row(slot: Slot, known: _Known) -> dict[str, object]:
    return _name(slot) | {
        "body_hash": known.body_hash,
        "status": known.answer.status,
        "response": known.answer.body,
        "location": known.answer.location,
        "run_id": known.answer.run_id,
        "created_at": known.created_at,
    }
