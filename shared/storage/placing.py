"""Messages take their place in the conversation when their run does, and move with it."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant
from shared.storage.each import Each
from shared.storage.lines import Line
from shared.storage.schema import messages, run_inputs
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

_INPUTS = (
    sa.select(
        run_inputs.c.run_id.label("input_of"), messages.c.id, messages.c.seq, messages.c.created_at
    )
    .join_from(run_inputs, messages, messages.c.id == run_inputs.c.message_id)
    .where(any_of(run_inputs.c.run_id, "ids"))
    .order_by(run_inputs.c.run_id, messages.c.seq)
)
_PLACE = Each(
    {"_id": messages.c.id}
    | {name: messages.c[name] for name in ("seq", "created_at", "run_id", "turn_seq")},
    lambda value: (
        messages.update()
        .where(messages.c.id == value("_id"))
        .values(
            seq=value("seq"),
            created_at=value("created_at"),
            run_id=value("run_id"),
            turn_seq=value("turn_seq"),
            interrupted=False,
        )
    ),
)


async def inputs_of(
    transaction: Transaction, run_ids: Collection[UUID]
) -> dict[UUID, list[AnyRow]]:
    """Read what each run was given: ids and places of messages, in their order."""
    found: dict[UUID, list[AnyRow]] = {run_id: [] for run_id in run_ids}
    for row in await transaction.execute(_INPUTS, {"ids": run_ids}):
        found[row.input_of].append(row)
    return found


def seat(line: Line, message: AnyRow, now: Instant) -> dict[str, Any]:
    """Give a message its place at the tail, unless it has one."""
    seq, created_at = message.seq, message.created_at
    if seq is None:
        seq, created_at = line.add_message(now)
    return {"_id": message.id, "seq": seq, "created_at": created_at}


async def place(transaction: Transaction, seated: Sequence[dict[str, Any]]) -> None:
    """Write the places of messages; each is now part of the turn of `run_id` at `turn_seq`."""
    await _PLACE.execute(transaction, seated)
