"""What travels between processes: 17 bytes each, and the topics they go by."""

from collections.abc import Collection, Iterator
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from shared.ids import SessionId

BUCKETS = 64
CANCELS = "cancel"
_OCTETS = 17


class Kind(Enum):
    """What happened to the session or, of a cancel, to the run."""

    MOVED = b"m"
    SPOKE = b"s"
    CANCEL = b"c"


class Hint(NamedTuple):
    """Look at this one."""

    kind: Kind
    id: UUID

    @property
    def topic(self) -> str:
        """The routing key."""
        return CANCELS if self.kind is Kind.CANCEL else topic_of(SessionId(self.id))


def topic_of(session_id: SessionId) -> str:
    """Return the routing key of everything about a session."""
    return f"session.{session_id.int % BUCKETS}"


def encode(hints: Collection[Hint]) -> bytes:
    """Write hints one after the other."""
    return b"".join(hint.kind.value + hint.id.bytes for hint in hints)


def decode(body: bytes) -> Iterator[Hint]:
    """Read hints; what is none is passed over, for another version may have sent it."""
    for start in range(0, len(body) - _OCTETS + 1, _OCTETS):
        kind = _KINDS.get(body[start : start + 1])
        if kind is not None:
            yield Hint(kind, UUID(bytes=body[start + 1 : start + _OCTETS]))


_KINDS = {kind.value: kind for kind in Kind}
