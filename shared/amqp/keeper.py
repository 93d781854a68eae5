"""A link that is opened again for ever."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from typing import NoReturn, TypeVar

import structlog
from pika import URLParameters

from shared.amqp.link import Link, LinkLost
from shared.clock import monotonic
from shared.domain.retry import RetryPolicy, backoff

log = structlog.get_logger(__name__)

PATIENCE = RetryPolicy(base_seconds=0.2, max_seconds=5.0)
_OPENING_SECONDS = 30.0
_CLOSING_SECONDS = 2.0
_STEADY_SECONDS = 10.0  # a connection that lasted this long starts the backoff afresh

L = TypeVar("L", bound=Link)


async def keep_open(
    addresses: Sequence[URLParameters],
    connect: Callable[[URLParameters], L],
    use: Callable[[L], Awaitable[object]],
    *,
    what: str,
    patience: RetryPolicy = PATIENCE,
    uniform: Callable[[float, float], float] = random.uniform,
) -> NoReturn:
    """Open a link, let `use` have it until it is lost, and open the next; until cancelled."""
    setbacks = 0
    for address in cycle(addresses):
        began = monotonic()
        reason = await _hold(address, connect, use, what)
        setbacks = 1 if monotonic() - began > _STEADY_SECONDS else setbacks + 1
        seconds = backoff(patience, setbacks, uniform)
        log.warning(
            "broker_down", what=what, host=address.host, reason=reason, retry_seconds=seconds
        )
        await asyncio.sleep(seconds)
    raise AssertionError


async def _hold(
    address: URLParameters,
    connect: Callable[[URLParameters], L],
    use: Callable[[L], Awaitable[object]],
    what: str,
) -> str:
    """Keep one link until it is lost, and return why it was."""
    link = connect(address)
    try:
        async with asyncio.timeout(_OPENING_SECONDS):
            await link.opened()
        log.info("broker_up", what=what, host=address.host)
        await use(link)
        await asyncio.wait({link.lost})
        return link.lost.result()
    except LinkLost as error:
        return str(error)
    except TimeoutError:
        return f"not open after {_OPENING_SECONDS} s"
    except Exception as error:
        log.exception("broker_connection_failed", what=what)
        return repr(error)
    finally:
        await link.close(_CLOSING_SECONDS)
