"""Intake: check, commit, answer. The broker is told afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from shared.dispatch.relay import Relay
from shared.domain.errors import InternalError, InturnError
from shared.domain.idempotency import Idempotency
from shared.domain.limits import QueueBounds
from shared.domain.living import Visibility
from shared.domain.message import size_of
from shared.domain.principal import Principal
from shared.domain.rates import Meter
from shared.domain.requests import Accepted, NewMessage, Opening, Replayed
from shared.ids import MessageId, RunId, new_id
from shared.service.once import fresh, once
from shared.service.room import Room
from shared.signals import Signals
from shared.storage import intake, upkeep
from shared.storage.group_commit import Capacity, Lane
from shared.storage.intake import Taken
from shared.storage.memory import look_up
from shared.storage.store import Store, Transaction
from shared.storage.types import dump_json

log = structlog.get_logger(__name__)

_WAITING_AT_MOST = Capacity(items=10_000, size=64 * 1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message of our own making: its ids are the same however often it is tried."""

    principal: Principal
    new: NewMessage
    message_id: MessageId
    run_id: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a caller brings; `opening` is the session that the message is the first of.

    A `refusal`, if there is one already, is told to whoever was not answered before.
    """

    new: NewMessage
    opening: Opening | None = None
    refusal: InturnError | None = None
    idempotency: Idempotency[Accepted] | None = None
    meters: tuple[Meter, ...] = ()


class Intake:
    """Where messages come in."""

    def __init__(
        self,
        store: Store,
        signals: Signals,
        relay: Relay,
        bounds: QueueBounds,
        visibility: Visibility,
    ) -> None:
        self._store = store
        self._signals = signals
        self._relay = relay
        self._bounds = bounds
        self._visibility = visibility
        self._room = Room(bounds)
        self._lane: Lane[intake.Intake, Taken] = store.lane(
            "intake", self._accept, capacity=_WAITING_AT_MOST, size_of=_size
        )

    async def accept(
        self, principal: Principal, new: NewMessage, *, meters: tuple[Meter, ...] = ()
    ) -> Accepted:
        """Return once message and run are committed to disk.

        Raises NotFound, SessionEnded, SessionBusy, SessionQueueFull, RateLimited, QueueFull,
        Overloaded, and nothing is stored then; or Unavailable, and nobody knows.
        """
        return fresh(await self.accept_once(principal, new, None, meters=meters))

    async def accept_once(
        self,
        principal: Principal,
        new: NewMessage,
        idempotency: Idempotency[Accepted] | None,
        *,
        meters: tuple[Meter, ...] = (),
        refusal: InturnError | None = None,
        opening: Opening | None = None,
    ) -> Taken:
        """Accept, or return what the same key was answered first.

        An `opening` is the session that this is the first message of.

        Raises like `accept`, IdempotencyKeyReused, and `refusal`.
        """
        post = Post(
            new=new, opening=opening, refusal=refusal, idempotency=idempotency, meters=meters
        )
        if full := self._room.refusal(principal.id):
            [replayed] = await self._look_up(principal, [post])
            if replayed is None:
                raise full
            return replayed
        with self._room.kept(principal.id, 1):
            taken = await self._lane(self._item(principal, post))
        if isinstance(taken, Accepted):
            self.note(principal, taken)
        return taken

    async def accept_many(
        self, principal: Principal, posts: Sequence[Post]
    ) -> Sequence[Taken | InturnError]:
        """Accept each message, or say why not; those of one session keep their order.

        Raises Overloaded where there is no room for all of them, and nothing is stored then.
        """
        refusals = [
            refusal
            for beside in range(len(posts))
            if (refusal := self._room.refusal(principal.id, beside))
        ]
        room = len(posts) - len(refusals)
        items = [self._item(principal, post) for post in posts[:room]]
        with self._room.kept(principal.id, len(items)):
            taken = [_ended(each) for each in await self._lane.many(items)]
        self.note(principal, *(each for each in taken if isinstance(each, Accepted)))
        replayed = await self._look_up(principal, posts[room:])
        return taken + [each or why for each, why in zip(replayed, refusals, strict=True)]

    async def announce_batch(self, principal: Principal, idempotency: Idempotency[bool]) -> bool:
        """Note the key of a batch, whose messages have keys of their own; tell if it was noted.

        Raises IdempotencyKeyReused.
        """

        async def nothing(_: Transaction) -> bool:
            return True

        noted = await once(self._store, principal, idempotency, nothing)
        return isinstance(noted, Replayed)

    async def take_in(
        self, transaction: Transaction, entries: Sequence[Entry]
    ) -> list[Accepted | InturnError]:
        """Accept as part of a larger transaction, or say why not; `note` it once committed."""
        refused = {
            entry.run_id: refusal
            for entry in entries
            if (refusal := self._room.refusal(entry.principal.id))
        }
        admitted = [
            intake.Intake(
                principal=entry.principal,
                new=entry.new,
                message_id=entry.message_id,
                run_id=entry.run_id,
                max_queued=self._bounds.per_session,
                tried=True,
            )
            for entry in entries
            if entry.run_id not in refused
        ]
        taken = iter(await intake.accept(self._store, transaction, admitted))
        results = [refused.get(entry.run_id) or next(taken) for entry in entries]
        return [result if isinstance(result, InturnError) else fresh(result) for result in results]

    def note(self, principal: Principal, *accepted: Accepted) -> None:
        """Tell relay, workers and whoever waits of what is committed."""
        own = sum(each.run.message_ids[0] == each.message.id for each in accepted)
        self._room.note(principal.id, own)  # who joined a run takes up no room
        self._relay.poke({each.run.pool for each in accepted})
        for each in accepted:
            for run_id in each.told_runs:
                self._signals.cancel_requested(run_id)
        for session_id in {each.run.session_id for each in accepted}:
            self._signals.moved(session_id)

    async def refresh_totals(self) -> None:
        """Count what is queued; until the next count, own accepts are added to it."""
        with self._room.counting() as queued:
            async with self._store.reading() as reading:
                queued.update(await upkeep.queued_totals(reading))

    def _item(self, principal: Principal, post: Post) -> intake.Intake:
        return intake.Intake(
            principal=principal,
            new=post.new,
            opening=post.opening,
            refusal=post.refusal,
            message_id=MessageId(new_id()),
            run_id=RunId(new_id()),
            max_queued=self._bounds.per_session,
            visibility=self._visibility,
            meters=post.meters,
            idempotency=post.idempotency,
        )

    async def _look_up(
        self, principal: Principal, posts: Sequence[Post]
    ) -> Sequence[Replayed | None]:
        """Find first answers for messages that there is no room for."""
        items = [self._item(principal, post) for post in posts]
        if all(item.idempotency is None for item in items):
            return [None] * len(items)
        async with self._store.reading() as reading:
            return await look_up(reading, items, await self._store.now(reading))

    async def _accept(
        self, transaction: Transaction, intakes: Sequence[intake.Intake]
    ) -> list[Taken | InturnError]:
        return await intake.accept(self._store, transaction, intakes)


def _ended(taken: Taken | BaseException) -> Taken | InturnError:
    if isinstance(taken, Accepted | Replayed | InturnError):
        return taken
    log.error("message_not_accepted", exc_info=taken)
    return InternalError("Something went wrong on our side; the log has it.")


def _size(item: intake.Intake) -> int:
    new = item.new
    return size_of(new.content) + sum(
        len(dump_json(each)) for each in (new.metadata, new.inputs) if each
    )
