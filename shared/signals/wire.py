"""The way to other processes, as the hub of signals sees it."""

from collections.abc import Callable
from typing import Protocol

from shared.ids import SessionId
from shared.signals.hints import Hint

Hear = Callable[[Hint], None]


class Wire(Protocol):
    """Carries hints when it can, and never fails: who waits for a hint also polls, slowly."""

    @property
    def up(self) -> bool:
        """Whether hints of other processes should be arriving."""

    async def start(self, hear: Hear) -> None:
        """Begin to connect; returns at once."""

    async def close(self) -> None:
        """Disconnect for good."""

    def send(self, hint: Hint) -> None:
        """Pass a hint on, soon, unless there is nobody or no way."""

    def follow(self, subject: SessionId | None) -> None:
        """Hear of a session, or of cancels, from soon on; hints before that are made up for."""

    def leave(self, subject: SessionId | None) -> None:
        """Hear of it no more."""


class Alone:
    """There is no other process."""

    up = True

    async def start(self, hear: Hear) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to disconnect from."""

    def send(self, hint: Hint) -> None:
        """Nobody to tell."""

    def follow(self, subject: SessionId | None) -> None:
        """Nobody tells."""

    def leave(self, subject: SessionId | None) -> None:
        """Nobody told."""
