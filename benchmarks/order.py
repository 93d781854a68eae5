"""What the driver asks of the load generator, and what it hears; JSON between two processes."""

from collections.abc import Sequence

from pydantic import BaseModel


class Order(BaseModel):
    """POST each body to each path in turn, until `total` were sent or `seconds` have passed."""

    host: str
    port: int
    key: str | None
    paths: list[str]
    posts: list[str]
    connections: int = 64
    total: int | None = None
    seconds: float | None = None
    bodies: bool = False


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
        """Answers that were 2xx."""
        return sum(count for status, count in self.statuses.items() if status.startswith("2"))

    @property
    def refused(self) -> int:
        """Answers that were not."""
        return sum(self.statuses.values()) - self.accepted

    @property
    def rate(self) -> float:
        """2xx answers a second."""
        return self.accepted / self.seconds


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
