"""Keys over HTTP: options, rotation, and values that make no sense."""

import pytest

from tests.api.caller import Caller

NEW = {"name": "shop", "scope": "service"}


async def make(admin: Caller, **more: object) -> dict[str, object]:
    made: dict[str, object] = await admin.ok("POST", "/v1/keys", NEW | more)
    return made


async def test_a_key_shows_its_rate_and_its_cap(admin: Caller, tenant: str) -> None:
    made = await make(admin, tenant=tenant, rate_limit="100/m;burst=20", max_running=3)
    plain = await make(admin, tenant=tenant)
    listed = {each["id"]: each for each in (await admin.ok("GET", "/v1/keys"))["data"]}
    for key, shown in ((made, ("100/m;burst=20", 3)), (plain, (None, None))):
        assert (listed[key["id"]]["rate_limit"], listed[key["id"]]["max_running"]) == shown
        assert {name: key[name] for name in listed[key["id"]]} == listed[key["id"]]
        assert key["old_secret_until"] is None


@pytest.mark.parametrize(
    "field",
    [
        *(
            {"rate_limit": rate}
            for rate in ("5", "0/s", "5/d", "5/s;burst=0", "", "10001/s", " off")
        ),
        *({"rate_limit": rate} for rate in ("9" * 60 + "/s", "5/s;burst=9999999999", "\u0665/s")),
        {"rate_limit": 5},
        *({"max_running": most} for most in (0, -1, 1_000_001, "3", 1.5, True)),
    ],
    ids=str,
)
async def test_a_limit_that_makes_no_sense_is_refused(
    admin: Caller, field: dict[str, object]
) -> None:
    response = await admin.call("POST", "/v1/keys", NEW | field)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["loc"] == ["body", *field]
    if isinstance(field.get("rate_limit"), str):
        assert "100/m;burst=20" in error["msg"]


async def test_a_rotated_key_is_the_same_key_with_another_secret(
    admin: Caller, tenant: str
) -> None:
    made = await make(admin, tenant=tenant)
    old = Caller(admin.http, str(made["key"]))
    session = await old.ok("POST", "/v1/sessions", {"agent": "echo"})
    response = await admin.call("POST", f"/v1/keys/{made['id']}/rotate", {"overlap_seconds": 60})
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    rotated = response.json()
    assert rotated["key"] != made["key"]
    assert rotated["old_secret_until"] is not None
    new = Caller(admin.http, rotated["key"])
    for caller in (old, new):
        assert (await caller.ok("GET", f"/v1/sessions/{session['id']}"))["id"] == session["id"]
    again = await admin.ok("POST", f"/v1/keys/{made['id']}/rotate")
    for caller in (old, new):
        assert await caller.refused("GET", "/v1/sessions") == "401 unauthenticated"
    assert (await Caller(admin.http, again["key"]).ok("GET", "/v1/sessions"))["data"] != []
    listed = (await admin.call("GET", "/v1/keys")).text
    assert again["key"] not in listed


@pytest.mark.parametrize("overlap", [-1, 604_801, "60", 1.5, None, True])
async def test_an_overlap_that_makes_no_sense_is_refused(admin: Caller, overlap: object) -> None:
    made = await make(admin)
    url = f"/v1/keys/{made['id']}/rotate"
    body = {"overlap_seconds": overlap}
    assert await admin.refused("POST", url, body) == "422 validation_failed"
    assert await admin.refused("POST", url, {"overlap": 1}) == "422 validation_failed"


async def test_what_cannot_be_rotated(admin: Caller, service: Caller) -> None:
    unknown = f"/v1/keys/key_{'0' * 32}/rotate"
    assert await admin.refused("POST", unknown) == "404 not_found"
    assert await service.refused("POST", unknown) == "403 forbidden"
    made = await make(admin)
    await admin.ok("DELETE", f"/v1/keys/{made['id']}")
    assert await admin.refused("POST", f"/v1/keys/{made['id']}/rotate") == "409 key_ended"


async def test_a_repeated_rotation_changes_nothing_and_shows_no_secret(admin: Caller) -> None:
    made = await make(admin)
    url = f"/v1/keys/{made['id']}/rotate"
    first = await admin.ok("POST", url, {}, Idempotency_Key=f"rotate-{made['id']}")
    again = await admin.call("POST", url, {}, Idempotency_Key=f"rotate-{made['id']}")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first | {"key": None}
    await Caller(admin.http, first["key"]).ok("GET", "/v1/sessions")
