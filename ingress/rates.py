"""`RateLimit` and `RateLimit-Policy`, as the IETF draft spells them, for every dialect."""

from collections.abc import Iterable, Sequence
from math import ceil

from shared.domain.rates import Allowance

LIMIT, POLICY = "RateLimit", "RateLimit-Policy"


def rate_headers(allowances: Sequence[Allowance]) -> dict[str, str]:
    """Say what is left of the rates that a request is under: `"key";r=9;t=1`.

    `r` more may come at once, and one more than that in `t` seconds. Of several messages the
    last one says it; a name of which they have several, as sessions, is left out.
    """
    latest = {each.meter.subject: each for each in allowances}
    names = [each.meter.name for each in latest.values()]
    shown = [each for each in latest.values() if names.count(each.meter.name) == 1]
    if not shown:
        return {}
    return {LIMIT: _list(map(_limit, shown)), POLICY: _list(map(_policy, shown))}


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)


def _limit(left: Allowance) -> str:
    return f'"{left.meter.name}";r={left.remaining};t={ceil(left.more_seconds)}'


def _policy(left: Allowance) -> str:
    rate = left.meter.rate
    burst = f";inturn-burst={rate.burst}" if rate.burst != rate.count else ""
    return f'"{left.meter.name}";q={rate.count};w={rate.period_seconds}{burst}'
