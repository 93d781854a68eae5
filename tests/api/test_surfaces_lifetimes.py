"""What ends in one contract, and what the other three make of it."""

from collections.abc import Callable

import pytest

from shared.bootstrap import Platform
from shared.clock import SECOND
from shared.domain.principal import Principal
from shared.ids import SessionId, new_id
from tests.api.caller import Caller, Json
from tests.api.performer import Performer
from tests.api.tongues import (
    AGENT,
    ATTHENE,
    ELIZAOS,
    NATIVE,
    POWABASE,
    TONGUES,
    Tongue,
    an_id,
    talk,
    typed,
)

# Who keeps on showing a session that another contract has ended.
SAID = [("user", "hi"), ("assistant", "hello")]
KEEPING = (NATIVE, POWABASE, ATTHENE)


def elizaos(session_id: SessionId, rest: str = "") -> str:
    return f"/api/messaging/sessions/{session_id}{rest}"


def native(session_id: SessionId, rest: str = "") -> str:
    return f"/v1/sessions/{typed(session_id)}{rest}"


def powabase(session_id: SessionId, rest: str = "") -> str:
    return f"/api/sessions/{typed(session_id)}{rest}"


def atthene(session_id: SessionId, rest: str) -> str:
    return f"/api/v1/runtime/{typed(session_id)}/{rest}/"


# How a message is posted in each, where nothing is waited for: it is refused, or the session busy.
SENDING: dict[str, Callable[[SessionId], tuple[str, Json]]] = {
    "native": lambda each: (native(each, "/messages"), {"content": "hi"}),
    "elizaos": lambda each: (elizaos(each, "/messages"), {"content": "hi"}),
    "powabase": lambda each: (
        f"/api/agents/{AGENT}/run",
        {"message": "hi", "session_id": typed(each), "timeout_seconds": 1},
    ),
    "atthene": lambda each: (atthene(each, "execute"), {"content": "hi"}),
}


@pytest.fixture
def wait(platform: Platform) -> Callable[[float], None]:
    """Moves the database's clock by so many minutes."""
    store = platform.execution._store  # noqa: SLF001

    def by(minutes: float) -> None:
        store.offset += round(minutes * 60 * SECOND)

    return by


@pytest.fixture
async def session_id(service: Caller, performer: Performer, owner: Principal) -> SessionId:
    """A session of ElizaOS that lives for five minutes, in which something was said."""
    new = {"agentId": str(AGENT), "userId": str(new_id()), "timeoutConfig": {"timeoutMinutes": 5}}
    made = an_id((await service.ok("POST", "/api/messaging/sessions", new))["sessionId"])
    await talk(ELIZAOS, service, performer, owner, made, ("hi", "hello"))
    return made


async def refused(caller: Caller, tongue: Tongue, session_id: SessionId) -> str:
    url, body = SENDING[tongue.name](session_id)
    return await caller.refused("POST", url, body)


async def test_what_expires_in_elizaos_lives_on_elsewhere(
    service: Caller, session_id: SessionId, wait: Callable[[float], None]
) -> None:
    wait(6)
    for method, rest in (("GET", ""), ("GET", "/messages"), ("POST", "/heartbeat")):
        assert await service.refused(method, elizaos(session_id, rest)) == "410 SESSION_EXPIRED"
    assert await refused(service, ELIZAOS, session_id) == "410 SESSION_EXPIRED"
    for tongue in KEEPING:
        assert await tongue.read(service, session_id) == SAID, tongue
    assert (await service.ok("GET", atthene(session_id, "status")))["status"] == "idle"
    assert (await service.ok("GET", powabase(session_id)))["session_id"] == typed(session_id)


@pytest.mark.parametrize("tongue", KEEPING, ids=str)
async def test_what_goes_on_elsewhere_renews_nothing(
    service: Caller,
    wait: Callable[[float], None],
    performer: Performer,
    owner: Principal,
    session_id: SessionId,
    tongue: Tongue,
) -> None:
    wait(6)
    before = await service.ok("GET", native(session_id))
    await talk(tongue, service, performer, owner, session_id, ("still there?", "yes"))
    after = await service.ok("GET", native(session_id))
    assert after["message_count"] == before["message_count"] + 2
    assert after["expires_at"] == before["expires_at"]
    assert await service.refused("GET", elizaos(session_id)) == "410 SESSION_EXPIRED"


async def test_what_is_deleted_in_elizaos_is_read_elsewhere_and_takes_no_more(
    service: Caller, session_id: SessionId
) -> None:
    await service.ok("DELETE", elizaos(session_id))
    assert await service.refused("GET", elizaos(session_id)) == "404 SESSION_NOT_FOUND"
    assert (await service.ok("GET", native(session_id)))["status"] == "ended"
    for tongue in KEEPING:
        assert await tongue.read(service, session_id) == SAID, tongue
    told = {tongue.name: await refused(service, tongue, session_id) for tongue in TONGUES}
    assert told == {
        "native": "409 session_ended",
        "elizaos": "404 SESSION_NOT_FOUND",
        "powabase": "404 Session not found",
        "atthene": "404 not_found_error",
    }


async def test_what_is_deleted_in_powabase_is_gone_everywhere(
    service: Caller, session_id: SessionId
) -> None:
    await service.ok("DELETE", powabase(session_id))
    looks = (
        native(session_id), elizaos(session_id), powabase(session_id), atthene(session_id, "status")
    )  # fmt: skip
    assert [await service.refused("GET", url) for url in looks] == [
        "404 not_found", "404 SESSION_NOT_FOUND", "404 Session not found", "404 not_found_error",
    ]  # fmt: skip
    assert [(await refused(service, tongue, session_id))[:3] for tongue in TONGUES] == ["404"] * 4


@pytest.mark.parametrize("tongue", KEEPING, ids=str)
async def test_what_has_no_policy_never_expires_until_it_is_given_one(
    service: Caller, wait: Callable[[float], None], tongue: Tongue
) -> None:
    session_id = await tongue.open(service)
    seen = await service.ok("GET", elizaos(session_id))
    assert seen["timeoutConfig"] == {
        "timeoutMinutes": 30, "autoRenew": True,
        "maxDurationMinutes": 720, "warningThresholdMinutes": 5,
    }  # fmt: skip
    assert 29 * 60_000 < seen["timeRemaining"] <= 30 * 60_000
    wait(100_000)
    assert (await service.ok("GET", elizaos(session_id)))["timeRemaining"] > 29 * 60_000
    assert (await service.ok("GET", native(session_id)))["expires_at"] is None
    assert await tongue.read(service, session_id) == []


@pytest.mark.parametrize("tongue", KEEPING, ids=str)
async def test_a_policy_given_in_elizaos_is_one_everywhere(
    service: Caller, wait: Callable[[float], None], tongue: Tongue
) -> None:
    session_id = await tongue.open(service)
    wait(20)
    given = await service.ok("PATCH", elizaos(session_id, "/timeout"), {"timeoutMinutes": 60})
    shown = await service.ok("GET", native(session_id))
    assert (shown["status"], shown["expires_at"]) == ("idle", given["expiresAt"])
    wait(41)
    assert await service.refused("GET", elizaos(session_id)) == "410 SESSION_EXPIRED"
    assert (await service.ok("GET", native(session_id)))["status"] == "idle"
