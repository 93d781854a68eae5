"""A key's secret changes and nothing else does; what a key may ask comes with it."""

import asyncio

import pytest

from shared.clock import SECOND, Instant
from shared.domain.errors import KeyEnded, NotFound, Unauthenticated
from shared.domain.paging import Page
from shared.domain.principal import Key, Principal, Scope
from shared.domain.rates import RequestRates, parse_rate
from shared.domain.requests import NewKey
from shared.ids import KeyId, new_id
from shared.service.keys import Keys
from shared.storage.schema import principals
from tests.platforms import ADMIN_KEY, House

ANNA = NewKey(name="anna's", scope=Scope.USER, tenant="acme", user_id="anna")
PRINCIPAL = Principal(tenant="acme", user_id="anna", scope=Scope.USER)


async def rotate(house: House, key_id: KeyId, overlap: int = 0) -> tuple[Key, str]:
    return await house.platform.keys.rotate(key_id, overlap_seconds=overlap)


async def passes(house: House, secret: str) -> bool:
    """Whether both this process and one that never saw it before take the secret."""
    answers: list[Principal | None] = []
    for process in (house.platform.keys, Keys(house.store)):
        try:
            answers.append((await process.authenticate(secret)).principal)
        except Unauthenticated:
            answers.append(None)
    assert answers[0] == answers[1]
    return answers[0] is not None


async def test_the_old_secret_ends_at_once_and_whose_it_is_stays(house: House) -> None:
    key, old = await house.platform.keys.create(ANNA)
    assert await passes(house, old)
    rotated, new = await rotate(house, key.id)
    assert not await passes(house, old)
    access = await house.platform.keys.authenticate(new)
    assert access.principal == PRINCIPAL
    assert (rotated.id, rotated.name, rotated.created_at) == (key.id, key.name, key.created_at)
    assert new.startswith(rotated.prefix)
    [listed] = [each for each in (await house.platform.keys.list(Page())).data if each.id == key.id]
    assert listed.prefix == rotated.prefix


async def test_the_old_secret_passes_beside_the_new_one_until_the_overlap_ends(
    house: House,
) -> None:
    key, first = await house.platform.keys.create(ANNA)
    rotated, second = await rotate(house, key.id, overlap=3600)
    assert await passes(house, first)
    assert await passes(house, second)
    assert rotated.old_until is not None
    house.wait(3601)
    house.platform.keys._known.clear()  # noqa: SLF001  (its clock is not the database's)
    assert not await passes(house, first)
    assert await passes(house, second)


async def test_a_cached_secret_is_not_taken_beyond_its_overlap(house: House) -> None:
    key, first = await house.platform.keys.create(ANNA)
    await rotate(house, key.id, overlap=4)
    process = Keys(house.store)
    await process.authenticate(first)
    [known] = process._known.values()  # noqa: SLF001
    _, second = await rotate(house, key.id)
    await process.authenticate(second)
    assert known.until <= process._known[second].until - 0.9  # noqa: SLF001  (5 s against 4)


async def test_only_the_last_secret_overlaps(house: House) -> None:
    key, first = await house.platform.keys.create(ANNA)
    _, second = await rotate(house, key.id, overlap=3600)
    _, third = await rotate(house, key.id, overlap=3600)
    assert [await passes(house, each) for each in (first, second, third)] == [False, True, True]
    await house.platform.keys.revoke(key.id)
    assert [await passes(house, each) for each in (first, second, third)] == [False] * 3


async def test_what_has_ended_is_not_rotated(house: House) -> None:
    with pytest.raises(NotFound):
        await rotate(house, KeyId(new_id()))
    key, _ = await house.platform.keys.create(ANNA)
    await house.platform.keys.revoke(key.id)
    with pytest.raises(KeyEnded, match="revoked"):
        await rotate(house, key.id)
    async with house.store.reading() as reading:
        soon = Instant(await house.store.now(reading) + 60 * SECOND)
    late, secret = await house.platform.keys.create(
        NewKey(name="k", scope=Scope.SERVICE, tenant="t", expires_at=soon)
    )
    await rotate(house, late.id, overlap=3600)
    house.wait(61)
    assert not await passes(house, secret)
    with pytest.raises(KeyEnded, match="expired"):
        await rotate(house, late.id)


async def test_rotations_at_once_leave_one_secret(house: House) -> None:
    key, first = await house.platform.keys.create(ANNA)
    rotated = await asyncio.gather(*(rotate(house, key.id) for _ in range(4)))
    secrets = [first, *(secret for _, secret in rotated)]
    assert sum([await passes(house, secret) for secret in secrets]) == 1


async def test_a_start_does_not_bring_back_a_secret_that_was_rotated_away(house: House) -> None:
    [key] = (await house.platform.keys.list(Page())).data
    await rotate(house, key.id)
    await house.platform.keys.bootstrap(ADMIN_KEY)
    assert not await passes(house, ADMIN_KEY)
    assert len((await house.platform.keys.list(Page())).data) == 1


async def test_a_key_comes_with_its_own_rate_or_the_setting_s(house: House) -> None:
    keys = Keys(house.store, RequestRates(key=parse_rate("5/s")))
    rates = {}
    for own in (None, "7/h", "off"):
        new = NewKey(name="k", scope=Scope.SERVICE, tenant="t", rate_limit=own)
        key, secret = await keys.create(new)
        meter = (await keys.authenticate(secret)).meter
        rates[own] = meter and meter.rate
        assert key.rate_limit == own
        assert meter is None or meter.subject == f"key:{key.id.hex}"
    assert rates == {None: parse_rate("5/s"), "7/h": parse_rate("7/h"), "off": None}


async def test_a_key_s_cap_is_its_principal_s_and_the_last_one_counts(house: House) -> None:
    capped = NewKey(name="k", scope=Scope.USER, tenant="acme", user_id="anna", max_running=3)
    key, _ = await house.platform.keys.create(capped)
    assert key.max_running == 3
    assert [tuple(row)[:2] for row in await house.rows(principals.select())] == [(PRINCIPAL.id, 3)]
    await house.platform.keys.create(
        NewKey(name="k", scope=Scope.USER, tenant="acme", user_id="anna", max_running=1)
    )
    await house.platform.keys.create(ANNA)
    assert [tuple(row)[:2] for row in await house.rows(principals.select())] == [(PRINCIPAL.id, 1)]
