"""How often: rates, decided by GCRA (the generic cell rate algorithm, ITU-T I.371)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many requests a period, `burst` of them at once."""

    count: int
    period_seconds: int
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What is charged: a rate, and whose. `name` is what `RateLimit` headers call it."""

    name: str
    subject: str
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a meter has left after a request; `reset_seconds` until it is whole again."""

    meter: Meter
    remaining: int
    reset_seconds: float
