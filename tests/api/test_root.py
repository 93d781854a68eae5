"""Probes, metrics, documentation: no credential."""

import re

import httpx
import pytest

from ingress.app import DIALECTS
from shared.bootstrap import Platform
from shared.domain.health import Probe, Readiness
from tests.api.caller import Caller, document
from tests.api.contracts import named


async def test_probes_answer(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok"}
    ready = await http.get("/readyz")
    assert ready.status_code == 200
    assert (ready.json()["database"], ready.json()["status"]) == ("up", "ready")


async def test_only_a_missing_database_makes_it_unready(
    http: httpx.AsyncClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    up, down = Probe(ok=True, state="up", latency_ms=0.5), Probe(ok=False, state="down")

    def answers(readiness: Readiness) -> None:
        async def ready() -> Readiness:
            return readiness

        monkeypatch.setattr(platform.operations, "ready", ready)

    answers(Readiness(database=up, broker=down))
    response = await http.get("/readyz")
    assert (response.status_code, response.json()["broker"]) == (200, "down")
    answers(Readiness(database=down, broker=up))
    assert (await http.get("/readyz")).status_code == 503


async def test_metrics_count_templates_and_hold_no_ids(
    http: httpx.AsyncClient, service: Caller
) -> None:
    session = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    await service.ok("GET", f"/v1/sessions/{session['id']}")
    await http.get("/v1/nothing")
    text = (await http.get("/metrics")).text
    assert 'route="/v1/sessions/{session_id}"' in text
    assert 'route="unmatched"' in text
    assert session["id"] not in text
    assert "nothing" not in text


async def test_the_contract_documents_itself(http: httpx.AsyncClient) -> None:
    served = (await http.get("/openapi/native.json")).json()
    assert served["paths"] == document()["paths"]
    assert set(served["components"]["securitySchemes"]) == {"ApiKey", "Bearer"}
    for path, operations in served["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert {"401", "422", "500", "503"} <= operation["responses"].keys()


@pytest.mark.parametrize("name", [each.name for each in DIALECTS])
async def test_every_contract_has_a_document_and_a_page(http: httpx.AsyncClient, name: str) -> None:
    served = (await http.get(f"/openapi/{name}.json")).json()
    assert served["paths"] == document(name)["paths"]
    assert all(each.startswith(named(name).prefix) for each in served["paths"])
    page = await http.get(f"/docs/{name}")
    assert page.headers["content-type"].startswith("text/html")
    assert f"/openapi/{name}.json" in page.text
    others = {each.name for each in DIALECTS} - {name}
    assert set(re.findall('href="/docs/([a-z]+)"', page.text)) == others
    if name == "native":
        assert (await http.get("/docs")).text == page.text
