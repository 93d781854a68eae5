"""The real platform over a database of the test's own, and the few words its tests need."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shared.bootstrap import Platform, migrate_database, open_platform
from shared.clock import SECOND, Instant, after
from shared.domain.execution import Claim, NewWorker, Settled, Settlement
from shared.domain.message import Message, Reply
from shared.domain.outcome import Outcome, Succeeded
from shared.domain.paging import Page
from shared.domain.principal import DEFAULT_TENANT, Principal, Scope
from shared.domain.requests import Accepted, MessageFilter, NewMessage, NewSession
from shared.domain.run import Run
from shared.domain.session import Session
from shared.ids import RunId, SessionId, WorkerId, new_id
from shared.settings import Settings
from shared.storage.schema import metadata
from shared.storage.store import Store, Transaction

ADMIN_KEY = "a-bootstrap-key-for-tests"
ME = Principal(tenant=DEFAULT_TENANT, user_id=None, scope=Scope.ADMIN)
AGENTS = """
[[agents]]
name = "historian"
kind = "python"
callable = "nowhere:answer"

[[agents]]
name = "capped"
kind = "echo"
limits = { max_running = 2 }

[[agents]]
name = "elsewhere"
kind = "echo"
pool = "narrow"
"""

_AT_A_LOCK = sa.text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@dataclass(kw_only=True)
class House:
    """An open platform whose relay is silent: the test takes and marks by itself."""

    platform: Platform
    store: Store
    me: Principal = ME
    said: list[str] = field(default_factory=list)

    async def session(self, agent: str = "echo", **more: Any) -> Session:  # noqa: ANN401
        return await self.platform.sessions.create(self.me, NewSession(agent=agent, **more))

    async def look(self, session: Session) -> Session:
        return await self.platform.sessions.get(self.me, session.id)

    async def post(self, session: Session, content: str = "hi", **more: Any) -> Accepted:  # noqa: ANN401
        return await self.platform.intake.accept(self.me, a_message(session.id, content, **more))

    async def run(self, run_id: RunId) -> Run:
        return await self.platform.runs.get(self.me, run_id)

    async def messages(self, session: Session) -> list[Message]:
        listing = await self.platform.messages.list(
            self.me, MessageFilter(session_id=session.id), Page(limit=200)
        )
        return list(listing.data)

    async def worker(self, *pools: str, slots: int = 4) -> WorkerId:
        worker_id = WorkerId(new_id())
        await self.platform.execution.register(
            NewWorker(id=worker_id, name="w", pools=pools or ("default",), slots=slots)
        )
        return worker_id

    async def claim(self, worker_id: WorkerId, run_id: RunId) -> Claim:
        claim = await self.platform.execution.claim(worker_id, run_id)
        assert isinstance(claim, Claim), claim
        return claim

    async def start(self, content: str = "hi", agent: str = "echo") -> tuple[Session, Claim]:
        """A new session whose only run is being performed."""
        session = await self.session(agent)
        accepted = await self.post(session, content)
        worker_id = await self.worker()
        return await self.look(session), await self.claim(worker_id, accepted.run.id)

    async def settle(self, claim: Claim, outcome: Outcome) -> Settled:
        return await self.platform.execution.settle(exit_of(claim, outcome))

    async def answer(self, claim: Claim, text: str = "yes") -> Settled:
        return await self.settle(claim, Succeeded(reply=Reply(content=text)))

    async def write(self, statement: sa.Executable) -> None:
        """Change rows behind the platform's back."""
        async with self.store.transaction() as transaction:
            await transaction.execute(statement)

    async def rows(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        async with self.store.reading() as reading:
            return list(await reading.execute(query))

    async def count(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(*conditions)
        return int((await self.rows(query))[0][0])

    async def findings(self) -> list[str]:
        return [finding.problem for finding in await self.platform.operations.doctor()]

    async def until_somebody_waits_for_a_lock(self) -> None:
        """Only PostgreSQL has locks that one can see somebody wait for."""
        async with asyncio.timeout(10), self.store.reading() as reading:
            while not (await reading.execute(_AT_A_LOCK)).scalar_one():
                pass

    def wait(self, seconds: float) -> None:
        """Move the database's clock."""
        self.store.offset += round(seconds * SECOND)

    async def at(self, seconds: float) -> Instant:
        """An instant so far from now, on the database's clock."""
        async with self.store.reading() as reading:
            return after(await self.store.now(reading), seconds)


def a_message(session_id: SessionId, content: str = "hi", **more: Any) -> NewMessage:  # noqa: ANN401
    return NewMessage(session_id=session_id, content=content, correlation_id="test", **more)


def exit_of(claim: Claim, outcome: Outcome) -> Settlement:
    return Settlement(
        run_id=claim.run_id, session_id=claim.session_id, fence=claim.fence, outcome=outcome
    )


def settings_for(url: str, folder: Path) -> Settings:
    agents = folder / "agents.toml"
    agents.write_text(AGENTS)
    return Settings(
        database_url=url,
        data_dir=folder,
        agents_file=agents,
        bootstrap_key=ADMIN_KEY,
        max_queued_per_session=5,
    )


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def migrate(url: str, folder: Path) -> None:
    settle_in_a_thread(migrate_database(settings_for(url, folder)))


def settle_in_a_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run async work to its end from sync code, even below a running loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@asynccontextmanager
async def open_house(url: str, folder: Path, **more: Any) -> AsyncIterator[House]:  # noqa: ANN401
    """Open the platform the way production does, then silence its relay."""
    settings = settings_for(url, folder).model_copy(update=more)
    async with open_platform(settings) as platform:
        house = House(platform=platform, store=platform.execution._store)  # noqa: SLF001

        def note(pools: Iterable[str]) -> None:
            house.said.extend(pools)

        platform.relay.poke = note  # type: ignore[method-assign]
        yield house


async def reset(house: House) -> None:
    """Make an open platform as good as new: no rows but those of a start, no moved clock."""
    platform = house.platform
    async with house.store.transaction() as transaction:
        await _empty(transaction)
    house.store.offset = 0
    platform.keys.__init__(house.store)  # type: ignore[misc]  # forgets whom it knew
    await platform.agents.load(platform.settings.agents_file)
    await platform.keys.bootstrap(ADMIN_KEY)
    await platform.intake.refresh_totals()
    house.said.clear()


async def empty(url: str) -> None:
    """Delete every row of a migrated database."""
    store = Store(url)
    async with store.transaction() as transaction:
        await _empty(transaction)
    await store.close()


async def _empty(transaction: Transaction) -> None:
    for table in reversed(metadata.sorted_tables):
        await transaction.execute(table.delete())
