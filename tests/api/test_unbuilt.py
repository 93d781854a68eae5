"""What the contract names and the server does not do yet is refused, never ignored."""

import httpx
import pytest

from ingress.dialects.native.routes.unbuilt import ROUTES, UnbuiltAdmin
from tests.api.caller import Caller, document, outcome

MESSAGE = {"content": "hi"}
SESSION = {"agent": "echo"}

FIELDS: list[tuple[str, dict[str, str], str, object, object]] = [
    ("messages", MESSAGE, "knowledge_bases", [{"id": "kb_1", "top_k": 5}], []),
]


@pytest.mark.parametrize(("noun", "body", "field", "asked", "default"), FIELDS)
async def test_a_field_is_refused_and_its_default_taken(
    admin: Caller, noun: str, body: dict[str, object], field: str, asked: object, default: object
) -> None:
    url = f"/v1/{noun}"
    if noun == "messages":
        session = await admin.ok("POST", "/v1/sessions", SESSION)
        url = f"/v1/sessions/{session['id']}/messages"
    response = await admin.call("POST", url, body | {field: asked})
    assert outcome(response) == "422 not_supported"
    assert response.json()["errors"][0]["loc"] == ["body", field]
    await admin.ok("POST", url, body | {field: default})


async def test_outcomes_of_tools_are_refused(admin: Caller) -> None:
    body = {"approvals": [], "outcomes": [{"call_id": "c", "repeat": True}]}
    url = f"/v1/runs/run_{'0' * 32}/resume"
    assert await admin.refused("POST", url, body) == "422 not_supported"


async def test_a_route_is_refused_once_it_is_known_who_asks(
    http: httpx.AsyncClient, admin: Caller, ada: Caller
) -> None:
    for route in ROUTES:
        method = next(iter(route.methods or ()))
        url = route.path.replace("{", "").replace("}", "")
        assert outcome(await http.request(method, url)) == "401 unauthenticated", route.path
        asked = await admin.refused(method, f"{url}?some=thing", {"some": "thing"})
        assert asked == "422 not_supported", route.path
        expected = "403 forbidden" if isinstance(route, UnbuiltAdmin) else "422 not_supported"
        assert await ada.refused(method, url) == expected, route.path
        assert method.lower() not in document()["paths"].get(route.path, {})
    assert ROUTES
