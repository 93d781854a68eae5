"""Keys: who may come in, and nothing that could be stolen from the database."""

import asyncio
import hashlib

import pytest

from shared.bootstrap import open_keys
from shared.clock import SECOND, Instant
from shared.domain.errors import NotFound, Unauthenticated
from shared.domain.paging import Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewKey
from shared.ids import KeyId, new_id
from shared.service.announcing import Announcing
from shared.service.keys import Keys
from shared.storage import keys as rows
from shared.storage.schema import agents, keys, runs
from tests.platforms import ADMIN_KEY, ME, House

ADMIN = NewKey(name="bootstrap", scope=Scope.ADMIN, tenant="default")
ANNA = NewKey(name="anna's", scope=Scope.USER, tenant="acme", user_id="anna")


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def test_a_key_opens_for_its_owner(house: House) -> None:
    key, secret = await house.platform.keys.create(ANNA)
    access = await house.platform.keys.authenticate(secret)
    assert access.principal == Principal(tenant="acme", user_id="anna", scope=Scope.USER)
    assert (key.name, key.tenant, key.user_id) == ("anna's", "acme", "anna")
    assert secret.startswith(key.prefix)
    assert len(key.prefix) < 12 < len(secret) - 20


async def test_the_database_does_not_know_the_secret(house: House) -> None:
    _, secret = await house.platform.keys.create(ANNA)
    for row in await house.rows(keys.select()):
        shown = "".join(str(value) for value in row)
        assert secret not in shown
        assert ADMIN_KEY not in shown
        assert len(row.hash) == 32


@pytest.mark.parametrize("wrong", ["", "inturn_", "x" * 100_000, "a-bootstrap-key-for-test", "ü"])
async def test_another_secret_opens_nothing(house: House, wrong: str) -> None:
    with pytest.raises(Unauthenticated):
        await house.platform.keys.authenticate(wrong)


async def test_a_key_ends_when_it_expires(house: House) -> None:
    async with house.store.reading() as reading:
        now = await house.store.now(reading)
    new = NewKey(name="k", scope=Scope.SERVICE, tenant="t", expires_at=Instant(now + 3600 * SECOND))
    _, secret = await house.platform.keys.create(new)
    await house.platform.keys.authenticate(secret)
    house.wait(3601)
    with pytest.raises(Unauthenticated):
        await Keys(house.store).authenticate(secret)


async def test_a_revoked_key_ends_at_once_here_and_stays_listed(house: House) -> None:
    key, secret = await house.platform.keys.create(ANNA)
    await house.platform.keys.authenticate(secret)
    await house.platform.keys.revoke(key.id)
    for process in (house.platform.keys, Keys(house.store)):
        with pytest.raises(Unauthenticated):
            await process.authenticate(secret)
    listed = (await house.platform.keys.list(Page())).data
    revoked = {each.name: each.revoked_at for each in listed}
    assert revoked["bootstrap"] is None
    assert (first := revoked["anna's"]) is not None
    house.wait(60)
    await house.platform.keys.revoke(key.id)
    listed = (await house.platform.keys.list(Page())).data
    assert {each.name: each.revoked_at for each in listed}["anna's"] == first
    with pytest.raises(NotFound):
        await house.platform.keys.revoke(KeyId(new_id()))


async def test_the_bootstrap_key_is_made_once_and_stays_revoked(house: House) -> None:
    assert (await house.platform.keys.authenticate(ADMIN_KEY)).principal == ME
    await house.platform.keys.bootstrap(ADMIN_KEY)
    [key] = (await house.platform.keys.list(Page())).data
    await house.platform.keys.revoke(key.id)
    await house.platform.keys.bootstrap(ADMIN_KEY)
    assert len((await house.platform.keys.list(Page())).data) == 1
    with pytest.raises(Unauthenticated):
        await house.platform.keys.authenticate(ADMIN_KEY)


async def test_processes_that_start_at_once_make_one_bootstrap_key(house: House) -> None:
    secret = "b" * 20
    other = Keys(house.store)
    async with house.store.transaction() as first:
        await rows.insert(
            first, KeyId(new_id()), ADMIN, prefix="b", digest=digest(secret), now=Instant(1)
        )
        second = asyncio.create_task(other.bootstrap(secret))
        await asyncio.sleep(0)
    await second
    assert await house.count(keys) == 2
    assert (await other.authenticate(secret)).principal.scope is Scope.ADMIN


async def test_the_last_use_is_remembered_but_not_written_each_time(house: House) -> None:
    key, secret = await house.platform.keys.create(ANNA)
    assert key.last_used_at is None
    await house.platform.keys.authenticate(secret)
    [used] = [row for row in await house.rows(keys.select()) if row.id == key.id]
    assert used.last_used_at is not None
    house.wait(10)
    await house.platform.keys.authenticate(secret)
    [again] = [row for row in await house.rows(keys.select()) if row.id == key.id]
    assert again.last_used_at == used.last_used_at


async def test_keys_are_listed_in_pages(house: House) -> None:
    for n in range(4):
        await house.platform.keys.create(NewKey(name=str(n), scope=Scope.SERVICE, tenant="t"))
    first = await house.platform.keys.list(Page(limit=3))
    rest = await house.platform.keys.list(Page(limit=3, cursor=first.next_cursor))
    names = [key.name for key in (*first.data, *rest.data)]
    assert names == ["bootstrap", "0", "1", "2", "3"]


async def test_who_manages_keys_touches_nothing_else(house: House) -> None:
    if house.store.sqlite:
        return  # the house owns it alone
    run_id = (await house.post(await house.session())).run.id
    source = Announcing(house.store)
    await source.mark(await source.take("default", 5))
    await house.write(agents.update().values(max_running=3))
    async with open_keys(house.platform.settings) as opened:
        await opened.create(ANNA)
    [row] = await house.rows(runs.select().where(runs.c.id == run_id))
    assert row.dispatch == "announced"
    assert await house.count(agents, agents.c.max_running != 3) == 0
