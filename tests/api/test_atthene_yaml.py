"""Atthene: bodies that cannot be read, and keys that may not send them."""

import pytest

from shared.settings import Settings
from tests.api.atthene import SESSIONS, problem
from tests.api.caller import Caller
from tests.api.estate import rows
from tests.api.test_atthene_configurations import mine, send

BAD_YAML = {
    "anchor": ("a: &a [1]\nb: *a", "anchors"),
    "twice": ("name: a\nname: b", "'name' is there twice"),
    "tag": ("name: !!python/object:os.system x", "tags"),
    "two": ("name: a\n---\nname: b", "second document"),
    "nan": ("name: a\nx: .nan", "NaN"),
    "nul": ('name: "a\\0"', "NUL"),
    "deep": ("[" * 100, "deeper"),
    "open": ("name: [", "line"),
    "nothing": ("# nothing", "object"),
    "text": ("just text", "object"),
    "huge number": ("name: a\nx: 99999999999999999999", "64 bits"),
}


@pytest.mark.parametrize(("body", "why"), BAD_YAML.values(), ids=BAD_YAML.keys())
async def test_yaml_that_is_not_taken_is_named(
    service: Caller, settings: Settings, body: str, why: str
) -> None:
    before = await rows(settings)
    status, kind, message = problem(await send(service, body, "application/yaml"))
    assert (status, kind) == (400, "invalid_request_error")
    assert why in message
    assert await rows(settings) == before


async def test_a_body_says_what_it_is(service: Caller) -> None:
    for media_type in ("text/plain", "application/xml", "", "application/yaml; charset=latin-1"):
        status, kind, _ = problem(await send(service, "name: a", media_type))
        assert (status, kind) == (415, "invalid_request_error")
    assert problem(await send(service, "name: a", "application/json"))[0] == 400


async def test_a_body_has_a_size_in_yaml_too(service: Caller, settings: Settings) -> None:
    long = "name: " + "x" * settings.max_body_bytes
    status, kind, _ = problem(await send(service, long, "application/yaml"))
    assert (status, kind) == (413, "payload_too_large_error")


async def test_an_empty_body_is_no_configuration(service: Caller) -> None:
    status, kind, _ = problem(await send(service, "", "application/yaml"))
    assert (status, kind) == (400, "invalid_request_error")


async def test_a_users_key_says_nothing_of_what_agents_are(ada: Caller, settings: Settings) -> None:
    before = await rows(settings)
    assert await ada.refused("POST", SESSIONS, mine()) == "403 permission_error"
    assert await rows(settings) == before


async def test_an_admin_may_send_a_configuration(admin: Caller) -> None:
    assert await admin.ok("POST", SESSIONS, mine())


async def test_the_same_key_gets_the_first_answer_again(
    service: Caller, settings: Settings
) -> None:
    config = mine()
    first = await service.call("POST", SESSIONS, config, Idempotency_Key="k")
    before = await rows(settings)
    again = await service.call("POST", SESSIONS, config, Idempotency_Key="k")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    reused = await service.refused("POST", SESSIONS, mine(), Idempotency_Key="k")
    assert reused == "400 invalid_request_error"
    assert await rows(settings) == before
