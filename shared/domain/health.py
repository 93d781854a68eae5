"""Whether what we stand on answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One dependency: does it answer, how fast, and what to know (`up`, `down`, `blocked`)."""

    ok: bool
    state: str
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Only a missing database makes a process unready: without a broker it still accepts."""

    database: Probe
    broker: Probe
