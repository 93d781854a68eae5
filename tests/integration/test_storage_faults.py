"""PostgreSQL away, or a COMMIT whose reply never came: nothing lost, nothing twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest

from shared.domain.errors import Unavailable
from shared.domain.idempotency import Answer, Idempotency
from shared.domain.message import Reply
from shared.domain.outcome import Succeeded
from shared.domain.requests import Accepted, NewSession, Replayed
from shared.domain.run import RunStatus
from shared.domain.session import Session, SessionStatus
from shared.ids import WorkerId, new_id
from shared.storage.schema import attempts, messages, runs, sessions
from tests.conftest import without
from tests.platforms import House, a_message, migrate, open_house
from tests.proxy import Proxy
from tests.servers import Postgres

COMMIT = b"COMMIT;"
POSTING: Idempotency[Accepted] = Idempotency(
    key="post", body_hash=b"", render=lambda made: Answer(status=202, body=f"{made.run.id}")
)
OPENING: Idempotency[Session] = Idempotency(
    key="open", body_hash=b"", render=lambda made: Answer(status=201, body=f"{made.id}")
)
SECONDS = 10.0  # far less than anybody's patience, far more than a few tries


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    if not Postgres.installed():
        without("A PostgreSQL of one's own", "the path", "PATH")
    with Postgres() as postgres:
        yield postgres


@pytest.fixture(scope="module")
def migrated(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    migrate(server.url, tmp_path_factory.mktemp("migrating"))
    return server.url


@pytest.fixture
def proxy(server: Postgres) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@asynccontextmanager
async def behind(proxy: Proxy, url: str, folder: Path) -> AsyncIterator[House]:
    at = urlsplit(url)
    through = at._replace(netloc=f"{at.username}@{at.hostname}:{proxy.port}").geturl()
    async with open_house(through, folder) as house:
        yield house


@pytest.fixture
async def house(proxy: Proxy, migrated: str, tmp_path: Path) -> AsyncIterator[House]:
    """A platform that reaches its database through the proxy; sound at the end."""
    async with behind(proxy, migrated, tmp_path) as house, asyncio.timeout(6 * SECONDS):
        yield house
        assert await house.findings() == []


async def test_a_claim_whose_commit_got_no_reply_is_handed_over_again(
    house: House, proxy: Proxy
) -> None:
    session = await house.session()
    accepted = await house.post(session)
    worker = await house.worker()
    proxy.swallow_reply(COMMIT)
    claim = await house.claim(worker, accepted.run.id)
    assert proxy.swallowed.is_set()
    assert (claim.fence, claim.attempt) == (1, 1)
    assert (await house.answer(claim)).accepted
    assert [m.content for m in await house.messages(session)] == ["hi", "yes"]
    assert len((await house.run(claim.run_id)).attempts) == 1


async def test_a_settle_whose_commit_got_no_reply_is_written_once(
    house: House, proxy: Proxy
) -> None:
    session, claim = await house.start()
    following = await house.post(session)
    proxy.swallow_reply(COMMIT)
    settled = await house.settle(claim, Succeeded(reply=Reply(content="once")))
    assert proxy.swallowed.is_set()
    assert (settled.accepted, settled.status) == (True, RunStatus.SUCCEEDED)
    assert [m.content for m in await house.messages(session)] == ["hi", "hi", "once"]
    assert await house.count(attempts, attempts.c.run_id == claim.run_id) == 1
    await house.claim(await house.worker(), following.run.id)


async def test_an_intake_whose_commit_got_no_reply_is_stored_once(
    house: House, proxy: Proxy
) -> None:
    session = await house.session()
    proxy.swallow_reply(COMMIT)
    accepted = await asyncio.gather(*(house.post(session, str(n)) for n in range(5)))
    assert proxy.swallowed.is_set()
    stored = await house.messages(session)
    assert [m.id for m in stored] == [each.message.id for each in accepted]
    assert [m.content for m in stored] == list("01234")
    assert (await house.look(session)).queue_depth == 5
    assert await house.count(messages, messages.c.session_id == session.id) == 5
    assert await house.count(runs, runs.c.session_id == session.id) == 5


async def test_a_key_answers_though_the_commit_got_no_reply(house: House, proxy: Proxy) -> None:
    session = await house.session()
    new = a_message(session.id)
    proxy.swallow_reply(COMMIT)
    accepted = await house.platform.intake.accept_once(house.me, new, POSTING)
    assert proxy.swallowed.is_set()
    assert isinstance(accepted, Accepted)
    again = await house.platform.intake.accept_once(house.me, new, POSTING)
    assert again == Replayed(answer=POSTING.render(accepted))
    assert await house.count(runs, runs.c.session_id == session.id) == 1


async def test_who_does_not_know_whether_it_was_created_asks_again(
    house: House, proxy: Proxy
) -> None:
    opening, before = NewSession(agent="echo"), await house.count(sessions)
    proxy.swallow_reply(COMMIT)
    with pytest.raises(Unavailable):
        await house.platform.sessions.create_once(house.me, opening, OPENING)
    assert proxy.swallowed.is_set()
    again = await house.platform.sessions.create_once(house.me, opening, OPENING)
    assert isinstance(again, Replayed)
    assert await house.count(sessions) == before + 1


async def test_hot_verbs_do_not_notice_that_every_connection_was_cut(
    house: House, proxy: Proxy
) -> None:
    session = await house.session()
    worker = await house.worker()
    proxy.cut()
    accepted = await house.post(session)
    proxy.cut()
    claim = await house.claim(worker, accepted.run.id)
    proxy.cut()
    assert (await house.platform.execution.load(claim)).messages == (accepted.message,)
    proxy.cut()
    assert (await house.answer(claim)).accepted
    with contextlib.suppress(Unavailable):  # a plain reading is not repeated, and says so once
        await house.look(session)
    assert (await house.look(session)).status is SessionStatus.IDLE


async def test_without_its_database_it_says_unavailable_and_works_again_after(
    server: Postgres, migrated: str, tmp_path: Path
) -> None:
    async with open_house(migrated, tmp_path) as house, asyncio.timeout(12 * SECONDS):
        session, claim = await house.start()
        await asyncio.to_thread(server.stop)
        try:
            started = monotonic()
            results = await asyncio.gather(
                house.post(session),
                house.answer(claim),
                house.look(session),
                house.session(),
                house.platform.keys.authenticate("never seen"),
                house.platform.execution.beat(WorkerId(new_id()), 1),
                return_exceptions=True,
            )
            assert [type(each) for each in results] == [Unavailable] * 6
            assert monotonic() - started < SECONDS
            assert not (await house.platform.operations.ready()).database.ok
        finally:
            await asyncio.to_thread(server.start)
        assert (await house.platform.operations.ready()).database.ok
        assert (await house.look(session)).status is SessionStatus.RUNNING
        assert (await house.answer(claim)).accepted
        accepted = await house.post(session)
        assert isinstance(accepted, Accepted)
        await house.answer(await house.claim(await house.worker(), accepted.run.id))
        assert [m.content for m in await house.messages(session)] == ["hi", "yes", "hi", "yes"]
        assert await house.findings() == []


async def test_a_database_killed_under_load_keeps_what_it_accepted_and_no_more(
    server: Postgres, migrated: str, tmp_path: Path
) -> None:
    async with open_house(migrated, tmp_path, max_queued_per_session=1000) as house:
        session = await house.session()
        posting = [asyncio.create_task(house.post(session, str(n))) for n in range(5)]
        posting += [asyncio.create_task(house.post(await house.session())) for _ in range(20)]
        await posting[0]
        await asyncio.to_thread(server.kill)
        results = await asyncio.gather(*posting, return_exceptions=True)
        await asyncio.to_thread(server.start)
        receipts = [each for each in results if isinstance(each, Accepted)]
        assert receipts
        await house.platform.operations.ready()  # finds the dead connections, as probes do
        assert {type(each) for each in results} <= {Accepted, Unavailable}
        for receipt in receipts:
            assert (await house.run(receipt.run.id)).status is RunStatus.QUEUED
        assert await house.findings() == []
