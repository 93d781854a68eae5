"""Which database errors pass by themselves, and how long to insist."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from shared.domain.errors import Unavailable

T = TypeVar("T")

# Connection classes, shutdown, starting up, too many connections, disk full, timeouts,
# deadlocks and serialisation failures: the statement was right, the moment was wrong.
_PASSING_STATES = ("08", "53", "57P", "57014", "55P03", "40001", "40P01", "25P03")


def passes(error: BaseException) -> bool:
    """Tell whether the same transaction may succeed later."""
    if isinstance(error, (OSError, PoolTimeout)):  # OSError: TimeoutError is one
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state:
        return state.startswith(_PASSING_STATES)
    return (
        error.connection_invalidated
        or isinstance(error, OperationalError)
        or ("connection" in str(error.orig))
    )


async def insist(verb: Callable[[], Awaitable[T]]) -> T:
    """Call `verb`, an idempotent transaction, again through short hiccups.

    Raises Unavailable when they last, and any other error at once.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception(passes),
        stop=stop_after_attempt(4),
        wait=wait_random_exponential(multiplier=0.05, max=0.5),
        reraise=True,
    )

    async def once() -> T:
        return await verb()

    async with available():
        return await retrying(once)


@asynccontextmanager
async def available() -> AsyncIterator[None]:
    """Say `unavailable` in the domain's words when the database is away."""
    try:
        yield
    except (DBAPIError, OSError, PoolTimeout) as error:
        if not passes(error):
            raise
        detail = "The database does not answer; a change may have been stored or not. Try again."
        raise Unavailable(detail, retry_after=2) from error
