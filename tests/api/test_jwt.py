"""Tokens of end users at the door: whose things they open, and the words of a refusal."""

import time

import httpx
import pytest

from shared.bootstrap import Platform
from shared.domain.principal import DEFAULT_TENANT, Scope
from shared.domain.requests import NewKey
from shared.ids import new_id
from shared.service.tokens import Tokens, Verified
from shared.settings import Settings
from tests.api.caller import Caller, outcome
from tests.tokens import SECRET, signed

SESSION = {"agent": "echo"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"jwt_secret": SECRET})


@pytest.fixture
def name() -> str:
    """A user that no other test knows: tokens are all of one tenant."""
    return f"user-{new_id()}"


@pytest.fixture
def eve(http: httpx.AsyncClient, name: str) -> Caller:
    return Caller(http, signed(sub=name))


async def test_a_token_opens_what_is_its_user_s(
    eve: Caller, name: str, platform: Platform, ada: Caller
) -> None:
    session = await eve.ok("POST", "/v1/sessions", SESSION)
    assert session["user_id"] == name
    new = NewKey(name="x", scope=Scope.USER, tenant=DEFAULT_TENANT, user_id=name)
    _, key = await platform.keys.create(new)
    url = f"/v1/sessions/{session['id']}"
    for same in (eve, Caller(eve.http, key), Caller(eve.http, signed(sub=name, iat=time.time()))):
        assert [each["id"] for each in (await same.ok("GET", "/v1/sessions"))["data"]] == [
            session["id"]
        ]
        assert (await same.ok("GET", url))["user_id"] == name
    for other in (ada, Caller(eve.http, signed(sub="another"))):
        assert await other.refused("GET", url) == "404 not_found"


async def test_a_token_has_the_scope_of_a_user(eve: Caller, admin: Caller) -> None:
    named = SESSION | {"user_id": "somebody"}
    assert await eve.refused("POST", "/v1/sessions", named) == "403 forbidden"
    assert await eve.refused("GET", "/v1/keys") == "403 forbidden"
    foreign = await admin.ok("POST", "/v1/sessions", named)
    assert await eve.refused("GET", f"/v1/sessions/{foreign['id']}") == "404 not_found"


async def test_either_header_and_the_words_of_a_refusal(eve: Caller, admin: Caller) -> None:
    for headers in ({"Authorization": f"Bearer {eve.key}"}, {"X-API-Key": eve.key}):
        assert (await eve.http.get("/v1/agents", headers=headers)).is_success
    both = {"Authorization": f"Bearer {eve.key}", "X-API-Key": admin.key}
    for headers, detail in (
        (both, "Two different credentials were sent; send one."),
        ({"Authorization": f"Bearer {signed(exp=time.time() - 60)}"}, "Token has expired."),
        ({"X-API-Key": signed(aud="anon")}, "Invalid token audience."),
        (
            {"Authorization": f"Bearer {eve.key[:-4]}AAAA"},
            "Invalid token: signature verification failed.",
        ),
    ):
        response = await eve.http.get("/v1/agents", headers=headers)
        assert outcome(response) == "401 unauthenticated"
        assert response.json()["detail"] == detail


async def test_a_known_token_is_not_verified_again(
    eve: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    real = Tokens.verify

    async def verify(tokens: Tokens, token: str) -> Verified:
        verified.append(token)
        return await real(tokens, token)

    monkeypatch.setattr(Tokens, "verify", verify)
    for _ in range(5):
        await eve.ok("GET", "/v1/agents")
    assert verified == [eve.key]
    late = Caller(eve.http, signed(sub="late", exp=time.time() - 11))
    for _ in range(2):  # what is refused is looked at each time
        assert await late.refused("GET", "/v1/agents") == "401 unauthenticated"
    assert len(verified) == 3
