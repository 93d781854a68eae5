"""Where webhooks may go, by what a name resolves to."""

import asyncio
import socket

import pytest

from shared.domain.errors import ValidationFailed
from shared.domain.webhook import TargetRefused
from shared.service.targets import SystemResolver, Targets

LOC = ("body", "url")
PUBLIC, PRIVATE = "93.184.215.14", "10.0.0.7"


class Names:
    """A resolver that says what the test wants, and remembers who was looked up."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        assert port
        self.asked.append(host)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return self.addresses


async def complaint(targets: Targets, url: str) -> str:
    with pytest.raises(ValidationFailed) as refused:
        await targets.check(url, LOC)
    assert refused.value.errors[0].loc == LOC
    return refused.value.errors[0].msg


async def test_a_public_name_passes() -> None:
    target = await Targets(allow_private=False, resolve=Names(PUBLIC)).check(
        "https://hooks.example.org/x", LOC
    )
    assert target.origin == "https://hooks.example.org:443"


@pytest.mark.parametrize(
    "addresses", [[PRIVATE], [PUBLIC, PRIVATE], ["::1"], ["::ffff:127.0.0.1"], [PUBLIC, "fe80::1"]]
)
async def test_a_name_at_a_private_address_is_refused(addresses: list[str]) -> None:
    targets = Targets(allow_private=False, resolve=Names(*addresses))
    assert "not public" in await complaint(targets, "https://hooks.example.org")
    with pytest.raises(TargetRefused):
        await targets.addresses("hooks.example.org", 443)


async def test_a_name_that_changes_its_mind_is_refused_when_it_counts() -> None:
    names = Names(PUBLIC)
    targets = Targets(allow_private=False, resolve=names)
    await targets.check("https://hooks.example.org", LOC)
    names.addresses = ["127.0.0.1"]
    with pytest.raises(TargetRefused):
        await targets.addresses("hooks.example.org", 443)


async def test_a_name_that_does_not_resolve_passes_for_now() -> None:
    targets = Targets(allow_private=False, resolve=Names())
    await targets.check("https://hooks.example.org", LOC)
    with pytest.raises(socket.gaierror):
        await targets.addresses("hooks.example.org", 443)


async def test_a_check_is_remembered_a_connection_is_not() -> None:
    names = Names(PUBLIC)
    targets = Targets(allow_private=False, resolve=names)
    for _ in range(3):
        await targets.check("https://hooks.example.org/a", LOC)
    assert len(names.asked) == 1
    for _ in range(3):
        await targets.addresses("hooks.example.org", 443)
    assert len(names.asked) == 4


async def test_what_is_refused_by_its_looks_is_not_looked_up() -> None:
    names = Names(PUBLIC)
    targets = Targets(allow_private=False, resolve=names)
    for url in ("http://localhost:8000", "https://10.0.0.1", "ftp://example.org"):
        await complaint(targets, url)
    assert names.asked == []


async def test_private_urls_may_be_allowed() -> None:
    targets = Targets(allow_private=True, resolve=Names("127.0.0.1"))
    for url in ("http://127.0.0.1:9", "http://localhost:22", "https://hooks.internal"):
        await targets.check(url, LOC)
    assert await targets.addresses("localhost", 80) == ["127.0.0.1"]
    assert await complaint(targets, "ftp://localhost")


async def test_the_system_resolves() -> None:
    resolve = SystemResolver()
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert await resolve("::1", 80) == ["::1"]
    assert "127.0.0.1" in await resolve("localhost", 80)
    with pytest.raises(OSError, match=r".+"):
        await resolve("nowhere.invalid", 80)
    with pytest.raises(OSError, match=r"no name"):
        await resolve("a" * 70 + ".example", 80)


async def test_who_gives_up_waiting_for_a_name_leaves_nothing_behind() -> None:
    resolve = SystemResolver()
    waiting = asyncio.create_task(resolve("localhost", 80))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await resolve("localhost", 80)
