"""Runs that say something, and who reads it."""

from dataclasses import replace
from uuid import uuid5

from shared.clock import Instant
from shared.domain.event import (
    Event,
    EventType,
    NewEvent,
    OfRun,
    OfSession,
    Position,
    Said,
    opening,
)
from shared.domain.execution import Append, Claim, Settlement
from shared.domain.jsontypes import JsonObject
from shared.domain.outcome import Outcome
from shared.domain.session import Session
from shared.ids import MessageId, RunId, new_id
from shared.service.events import Feed
from tests.platforms import House, exit_of


def first_words(claim: Claim) -> tuple[NewEvent, ...]:
    """What every attempt begins with."""
    return tuple(opening(claim.attempt, claim.fence, claim.claimed_at, first=not claim.event_count))


def a_delta(text: str, at: Instant, type_: EventType = EventType.MESSAGE_DELTA) -> NewEvent:
    return NewEvent(type=type_, data={"message_id": new_id().hex, "index": 0, "text": text}, at=at)


def answer_id(claim: Claim) -> MessageId:
    """What an attempt's deltas say they are pieces of, and its answer becomes."""
    return MessageId(uuid5(claim.run_id, str(claim.fence)))


def _piece(claim: Claim, index: int, text: str) -> NewEvent:
    delta = a_delta(text, claim.claimed_at)
    piece: JsonObject = {"message_id": answer_id(claim).hex, "index": index}
    return replace(delta, data=delta.data | piece)


def saying(claim: Claim, *texts: str, start: int | None = None) -> Append:
    """An append of deltas, with what an attempt begins with if it is the first."""
    begins = start is None
    deltas = tuple(_piece(claim, index, text) for index, text in enumerate(texts))
    return Append(
        run_id=claim.run_id,
        session_id=claim.session_id,
        fence=claim.fence,
        said=Said(
            start=claim.event_count if start is None else start,
            events=(first_words(claim) if begins else ()) + deltas,
        ),
    )


def ending(claim: Claim, outcome: Outcome, *texts: str, start: int | None = None) -> Settlement:
    """A settle that carries an attempt's last words."""
    said = saying(claim, *texts, start=start).said
    return replace(exit_of(claim, outcome), said=said, output_id=answer_id(claim))


async def feed_of(house: House, run: RunId, after: str | None = None) -> Feed:
    position = None if after is None else Position.parse(after)
    return await house.platform.events.open(house.me, OfRun(run), position)


async def all_of(feed: Feed, limit: int = 200) -> list[Event]:
    """Read page by page until there is nothing more."""
    read: list[Event] = []
    while page := await feed.read(limit):
        read += page
    return read


async def told(house: House, run: RunId, after: str | None = None) -> list[Event]:
    return await all_of(await feed_of(house, run, after))


async def story_of(
    house: House, session: Session, after: Position | None = None, limit: int = 200
) -> list[Event]:
    """All that a session's runs have said after that."""
    return await all_of(
        await house.platform.events.open(house.me, OfSession(session.id), after), limit
    )


def types(events: list[Event]) -> list[str]:
    return [event.type.value for event in events]


def texts(events: list[Event]) -> list[object]:
    return [event.data["text"] for event in events if "text" in event.data]
