"""A creating request that may be sent twice: the same key and body get the first answer again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.clock import SECOND
from shared.ids import RunId

T_contra = TypeVar("T_contra", contravariant=True)

KEPT = 24 * 3600 * SECOND  # from then on the key may be used for something else


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered first, as its dialect printed it; `run_id` is what a replay waits on."""

    status: int
    body: str
    location: str | None = None
    run_id: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency(Generic[T_contra]):
    """The caller's key, a hash of all that was asked, and how the answer is printed.

    `render` is called inside the transaction that creates: it must be quick and pure.
    """

    key: str
    body_hash: bytes
    render: Callable[[T_contra], Answer]
