"""What the driver asks of the load generator, and what it hears; JSON between two processes."""

from collections.abc import Sequence

from pydantic import BaseModel


class Order(BaseModel):
    """POST each body to each path in turn, until `total` were sent or `seconds` have passed.

    With a `known` ETag it is a conditional GET of each path instead. A connection asks again as
    soon as it is answered or, with an `interval`, so many seconds after it asked before.
    """

    host: str
    port: int
    key: str | None
    paths: list[str]
    posts: list[str]
    connections: int = 64
    total: int | None = None
    seconds: float | None = None
    bodies: bool = False
    known: str | None = None
    interval: float | None = None


class Outcome(BaseModel):
    """Answers by status; times in seconds; `cpu_seconds` are the generator's own."""

    began_at: float
    seconds: float
    cpu_seconds: float
    statuses: dict[str, int]
    p50: float
    p99: float
    bodies: list[str]

    @property
    def accepted(self) -> int:
        """Answers that were 2xx, or that nothing has changed."""
        return sum(
            count for status, count in self.statuses.items() if status[0] == "2" or status == "304"
        )

    @property
    def refused(self) -> int:
        """Answers that were not."""
        return sum(self.statuses.values()) - self.accepted

    @property
    def rate(self) -> float:
        """Such answers a second."""
        return self.accepted / self.seconds


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
