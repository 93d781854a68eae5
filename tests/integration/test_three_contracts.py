"""A real server under three more contracts: a short life to its end, an agent nobody can run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import UUID, uuid4

import httpx
import pytest

from tests.api.sockets import Client, connected, join
from tests.integration.serving import Served, serving

SESSIONS = "/api/messaging/sessions"
AGENTS = '[[agents]]\nname = "thinker"\nkind = "llm"\nmodel = "some-model"\n'
CAUSE = "This worker cannot run agents of the kind 'llm'."
Told = tuple[int, object, str]
Through = Callable[[httpx.AsyncClient, str], Awaitable[Told]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "agents.toml").write_text(AGENTS)
    with serving(folder, SESSION_MIN_TIMEOUT_MINUTES=0.02, SWEEP_SECONDS=0.2) as server:
        yield server


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"X-API-Key": served.key}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
async def socket(served: Served) -> AsyncIterator[Client]:
    async with connected(served.url, auth={"apiKey": served.key}) as client:
        yield client


async def short(http: httpx.AsyncClient, agent: str, **policy: float) -> str:
    """A session of a little more than a second."""
    asked = {"agentId": agent, "userId": str(uuid4()), "timeoutConfig": policy}
    made = (await http.post(SESSIONS, json={**asked})).raise_for_status()
    assert made.status_code == httpx.codes.CREATED
    return str(made.json()["sessionId"])


async def refused(http: httpx.AsyncClient, method: str, path: str) -> tuple[int, str]:
    answer = await http.request(method, path)
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_session_is_warned_of_its_end_and_then_over(
    http: httpx.AsyncClient, socket: Client, served: Served
) -> None:
    agent = await asyncio.to_thread(served.agent, "echo")
    async with asyncio.timeout(15):
        usual = await short(http, agent, timeoutMinutes=0.02)
        capped = await short(http, agent, timeoutMinutes=0.02, maxDurationMinutes=0.02)
        await join(socket, usual)
        warned = await socket.until("sessionExpirationWarning")
        assert warned == {"sessionId": usual, "minutesRemaining": 1}
        over = await socket.until("sessionExpired")
        assert over["sessionId"] == usual
        assert await refused(http, "GET", f"{SESSIONS}/{usual}") == (410, "SESSION_EXPIRED")
        assert await refused(http, "POST", f"{SESSIONS}/{usual}/renew") == (410, "SESSION_EXPIRED")
        while (await http.get(f"{SESSIONS}/{capped}")).status_code == httpx.codes.OK:
            pass
        told = await refused(http, "POST", f"{SESSIONS}/{capped}/renew")
        assert told == (422, "SESSION_RENEWAL_FAILED")
        # Elsewhere it is what it was.
        id_ = f"sess_{UUID(usual).hex}"
        for path in (
            f"/v1/sessions/{id_}",
            f"/api/sessions/{id_}",
            f"/api/v1/runtime/{id_}/status/",
        ):
            (await http.get(path)).raise_for_status()


async def test_a_socket_hears_what_comes_in_by_another_contract(
    http: httpx.AsyncClient, socket: Client, served: Served
) -> None:
    echo = await asyncio.to_thread(served.agent, "echo")
    made = await http.post(f"/api/agents/{echo}/sessions", json={})
    id_ = made.json()["session_id"]
    room = str(UUID(id_.removeprefix("sess_")))
    await join(socket, room)
    await http.post(f"/api/agents/{echo}/run", json={"message": "by one", "session_id": id_})
    await http.post(f"/api/v1/runtime/{id_}/execute/", json={"content": "by another"})
    await socket.until("messageBroadcast", 4)
    heard = [(each["text"], each["source"]) for each in socket.of("messageBroadcast")]
    assert heard == [
        (text, source)
        for text in ("by one", "by another")
        for source in ("client_chat", "agent_response")
    ]


async def through_native(http: httpx.AsyncClient, agent: str) -> Told:
    session = (await http.post("/v1/sessions", json={"agent": agent})).json()["id"]
    posted = await http.post(
        f"/v1/sessions/{session}/messages", json={"content": "hi"}, headers={"Prefer": "wait=10"}
    )
    run = posted.json()["run"]
    assert run["error"]["code"] == "agent_kind_unavailable"
    return posted.status_code, run["status"], run["error"]["message"]


async def through_elizaos(http: httpx.AsyncClient, agent: str) -> Told:
    made = await http.post(SESSIONS, json={"agentId": agent, "userId": str(uuid4())})
    body = {"content": "hi", "transport": "http"}
    sent = await http.post(f"{SESSIONS}/{made.json()['sessionId']}/messages", json=body)
    return sent.status_code, sent.json()["error"]["code"], sent.text


async def through_powabase(http: httpx.AsyncClient, agent: str) -> Told:
    ran = await http.post(f"/api/agents/{agent}/run", json={"message": "hi"})
    return ran.status_code, ran.json()["status"], ran.json()["error"]


async def through_atthene(http: httpx.AsyncClient, agent: str) -> Told:
    made = await http.post(f"/api/v1/sessions/from-agent/{agent}/")
    url = f"/api/v1/runtime/{made.json()['session_id']}/execute/"
    executed = await http.post(url, json={"content": "hi"})
    told = executed.json()
    return executed.status_code, (told["success"], told["status"]), str(told["error"])


@pytest.mark.parametrize(
    ("through", "status", "outcome"),
    [
        (through_native, 200, "failed"),
        (through_elizaos, 500, "MESSAGE_SEND_FAILED"),
        (through_powabase, 200, "failed"),
        (through_atthene, 200, (False, "error")),
    ],
)
async def test_an_agent_of_a_kind_that_cannot_be_run_says_so(
    served: Served,
    http: httpx.AsyncClient,
    through: Through,
    status: int,
    outcome: object,
) -> None:
    agent = await asyncio.to_thread(served.agent, "thinker")
    told = await through(http, agent)
    assert told[:2] == (status, outcome)
    assert CAUSE in told[2], told[2]
