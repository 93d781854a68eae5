"""Open the platform for a command; what stands in the way is said in one sentence."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from inturn.refused import OwnedElsewhere, refuse, without_password
from shared.bootstrap import (
    AlreadyOwned,
    Platform,
    SchemaBehind,
    migrate_database,
    open_for_reading,
    open_keys,
    open_platform,
)
from shared.domain.errors import InturnError, Unavailable
from shared.domain.findings import Examination, Finding
from shared.service.keys import Keys
from shared.settings import Settings

# They refuse a start in words of their own: no such database, no such user, wrong password.
_DATABASE_LIBRARIES = {"asyncpg", "sqlalchemy", "sqlite3"}


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Platform]:
    """Open the platform; only opening is refused, what happens inside is the caller's."""
    async with AsyncExitStack() as stack:
        with _sentences(settings):
            platform = await stack.enter_async_context(open_platform(settings))
        yield platform


@asynccontextmanager
async def opened_keys(settings: Settings) -> AsyncIterator[Keys]:
    """Open the keys alone, for a command that only manages them."""
    async with AsyncExitStack() as stack:
        with _sentences(settings):
            keys = await stack.enter_async_context(open_keys(settings))
        yield keys


async def reach(settings: Settings) -> None:
    """See that the platform can be opened, before others are started that need it."""
    async with opened(settings):
        pass


async def migrated(settings: Settings) -> None:
    """Bring the database to this version."""
    with _sentences(settings):
        await migrate_database(settings)


async def examined(settings: Settings) -> list[Finding]:
    """Ask the doctor."""
    with _sentences(settings):
        async with open_for_reading(settings) as operations:
            return await operations.doctor()


async def measured(settings: Settings) -> Examination:
    """Ask the doctor, and how much there is."""
    with _sentences(settings):
        async with open_for_reading(settings) as operations:
            return await operations.examine()


@contextmanager
def _sentences(settings: Settings) -> Iterator[None]:
    try:
        yield
    except AlreadyOwned as reason:
        raise OwnedElsewhere(str(reason)) from None
    except (SchemaBehind, ValueError) as reason:
        refuse(str(reason))
    except (Unavailable, OSError) as reason:
        cause = reason.strerror if isinstance(reason, OSError) else None
        refuse(_away(settings, cause or "it does not answer"))
    except InturnError:
        raise
    except Exception as reason:
        if type(reason).__module__.partition(".")[0] not in _DATABASE_LIBRARIES:
            raise
        said = str(getattr(reason, "orig", None) or reason)
        refuse(_away(settings, said.partition("\n")[0]))


def _away(settings: Settings, cause: str) -> str:
    place = without_password(settings.database)
    return f"cannot use the database at {place}: {cause}; see INTURN_DATABASE_URL."
