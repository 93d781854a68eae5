"""Who follows a session, and what it has heard."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager

from shared.domain.session import Session
from shared.domain.sighting import Broken, Piece, Posted, Sighting
from tests.platforms import House


class Ear:
    """What was told until now."""

    def __init__(self, following: AsyncGenerator[tuple[Sighting, ...], None]) -> None:
        self.following = following
        self.heard: list[Sighting] = []

    async def hear(self) -> list[Sighting]:
        """Wait for what is told next."""
        async with asyncio.timeout(10):
            told = await anext(self.following)
        self.heard += told
        return list(told)


@asynccontextmanager
async def listening(house: House, session: Session) -> AsyncIterator[Ear]:
    room = await house.platform.rooms.open(session.id)
    async with aclosing(room.follow()) as following:
        yield Ear(following)
    assert house.platform.signals.watched == set()


def said(heard: Collection[Sighting]) -> list[str]:
    """What was posted, and the pieces of what was streamed in angle brackets."""
    lines: list[str] = []
    for each in heard:
        match each:
            case Posted(message=message):
                lines.append(str(message.content))
            case Piece(text=text):
                lines.append(f"<{text}>")
            case Broken(error=error, text=text):
                lines.append(f"! {error}" + (f" ({text})" if text else ""))
            case _:
                lines.append(type(each).__name__)
    return lines
