"""Creating something once, however often it is asked for with the same key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Never, TypeVar

from shared.domain.idempotency import Idempotency
from shared.domain.principal import Principal
from shared.domain.requests import Replayed
from shared.storage.memory import Memory
from shared.storage.store import Store, Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Creation:
    principal: Principal
    idempotency: Idempotency[Never]


async def once(
    store: Store,
    principal: Principal,
    idempotency: Idempotency[T] | None,
    create: Callable[[Transaction], Awaitable[T]],
) -> T | Replayed:
    """Create in one transaction, with the answer to the key; or return the first answer.

    What raises leaves neither anything created nor a key, so whoever was told that nobody
    knows whether it was stored may ask again with the same key.
    Raises what `create` raises, and IdempotencyKeyReused.
    """
    async with store.transaction() as transaction:
        if idempotency is None:
            return await create(transaction)
        creation = _Creation(principal=principal, idempotency=idempotency)
        memory = await Memory.enter(transaction, [creation])
        now = await store.now(transaction)
        if replayed := memory.recall(creation, now):
            return replayed
        created = await create(transaction)
        memory.keep(creation, idempotency.render(created), now)
        await memory.write(transaction)
        return created


def fresh(created: T | Replayed) -> T:
    """Take out what was created without a key: it is nothing answered before."""
    assert not isinstance(created, Replayed)  # noqa: S101  (only a key is ever answered again)
    return created
