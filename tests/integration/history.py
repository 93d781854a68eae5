"""What happened, as the database tells it, and what must be true of any of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

GIVEN_BACK = "give_back"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a caller got for one message: no status if the connection broke."""

    session: str
    content: str
    status: int | None = None
    run: str = ""
    seconds: float = 0.0

    @property
    def accepted(self) -> bool:
        """The promise was given."""
        return self.status == 202


@dataclass(frozen=True, slots=True)
class Run:
    """A run's row, with the number of its answers; instants are the database's microseconds."""

    id: str
    session: str
    seq: int
    status: str
    attempt: int
    losses: int
    worker: str | None
    stored_at: int
    claimed_at: int | None
    answers: int

    @property
    def waited(self) -> float:
        """Seconds from its acceptance to its last start."""
        assert self.claimed_at is not None, self
        return (self.claimed_at - self.stored_at) / 1_000_000


@dataclass(frozen=True, slots=True)
class Start:
    """A claim that has ended."""

    run: str
    session: str
    worker: str
    began: int
    ended: int
    outcome: str

    @property
    def counts(self) -> bool:
        """Whether it was an attempt; what is given back is refunded."""
        return self.outcome != GIVEN_BACK


@dataclass(frozen=True, slots=True)
class History:
    """Every run and every start, in order."""

    runs: dict[str, Run]
    starts: Sequence[Start]

    def of(self, receipts: Iterable[Receipt]) -> list[Run]:
        """Find the runs that were promised; each is there."""
        return [self.runs[receipt.run] for receipt in receipts if receipt.accepted]

    def given_back(self, receipts: Iterable[Receipt]) -> set[str]:
        """Name those of the runs that a worker did not end."""
        ours = {receipt.run for receipt in receipts}
        return {start.run for start in self.starts if start.run in ours and not start.counts}

    def assert_answered_once(self, receipts: Iterable[Receipt]) -> None:
        """Every promise was kept: one start that counts, one answer."""
        counted = Counter(start.run for start in self.starts if start.counts)
        for run in self.of(receipts):
            assert (run.status, run.answers, run.attempt) == ("succeeded", 1, 1), run
            assert counted[run.id] == 1, run

    def assert_in_turn(self) -> None:
        """No two runs of a session lived at once, and they started in the order of its line."""
        lives: dict[str, list[Start]] = {}
        for start in self.starts:
            lives.setdefault(start.session, []).append(start)
        for lived in lives.values():
            for earlier, later in pairwise(lived):
                assert earlier.ended <= later.began, (earlier, later)
                assert self.runs[earlier.run].seq <= self.runs[later.run].seq, (earlier, later)
