"""PostgreSQL goes away under live runs, or takes a claim and loses the answer."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.integration.conftest import Apart
from tests.integration.fleet import Fleet, out_of_service, ready, script
from tests.proxy import Proxy
from tests.servers import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Long enough to come back from an outage while the machine has other tests to run.
LEASE, BEAT = 5.0, 1.0
CUT_SECONDS = 15.0  # in which a run has to end whose claim was cut
# Only a claim says this; the first one of each connection spells it out.
CLAIMING = b"announced_at=coalesce(runs.announced_at"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if not Postgres.installed():
        pytest.skip("PostgreSQL is not installed here")
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    with Proxy(postgres.port) as proxy:
        yield proxy


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(
    postgres: Postgres,
    proxy: Proxy,
    broker_url: str,
    apart: Apart,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Fleet]:
    """Its worker reaches the database through the proxy."""
    address = urlsplit(postgres.url)
    through = address._replace(netloc=address.netloc.replace(str(postgres.port), str(proxy.port)))
    folder = tmp_path_factory.mktemp("database")
    settings = apart(postgres.url, broker_url)
    async with Fleet(folder, LEASE_SECONDS=LEASE, HEARTBEAT_SECONDS=BEAT, **settings) as fleet:
        fleet.command("migrate")
        await ready(
            fleet.start("ingress"),
            fleet.start("sweeper"),
            fleet.start("worker", "--processes", "1", DATABASE_URL=through.geturl()),
        )
        yield fleet


async def test_a_claim_whose_commit_is_cut_still_ends(fleet: Fleet, proxy: Proxy) -> None:
    [session] = await fleet.sessions(1)
    proxy.swallow_reply(b"COMMIT", prelude=CLAIMING)
    receipts = [await fleet.post(session, script(["sleep", 0.2]))]
    history = await fleet.settled(CUT_SECONDS)
    assert proxy.swallowed.is_set()
    history.assert_answered_once(receipts)
    assert not history.given_back(receipts)


async def test_an_outage_of_two_leases_repeats_no_run(fleet: Fleet, postgres: Postgres) -> None:
    sessions = await fleet.sessions(200)
    # Half of them end while nobody can be told, half after it.
    receipts = await fleet.post_all(
        (session, script(["sleep", 6.0 + number % 2 * 2 * LEASE]))
        for number, session in enumerate(sessions)
    )
    assert all(receipt.accepted for receipt in receipts)
    await fleet.until_some(190, "status = 'running'", 15)
    await out_of_service(postgres, 2 * LEASE)
    history = await fleet.settled(30)
    history.assert_answered_once(receipts)
    assert not history.given_back(receipts)
    assert not any(run.losses for run in history.of(receipts))
    fleet.command("doctor")
