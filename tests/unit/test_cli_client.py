"""The client commands against a server that is only a function."""

import json
from collections.abc import Callable

import httpx
import pytest

from inturn.client import Client
from inturn.refused import Refused
from inturn.watch import follow

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer) -> Client:
    return Client("http://server", "a-key", httpx.MockTransport(answer))


def test_the_key_goes_along() -> None:
    asked = client(lambda request: httpx.Response(200, json=request.headers["X-API-Key"]))
    assert asked.ask("GET", "/v1/agents").json() == "a-key"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            httpx.Response(404, json={"code": "not_found", "detail": "No such session."}),
            "not_found: No such session.",
        ),
        (
            httpx.Response(
                422,
                json={
                    "code": "validation_failed",
                    "detail": "See `errors`.",
                    "errors": [{"loc": ["body", "content"], "msg": "too long"}],
                },
            ),
            "body.content: too long",
        ),
        (httpx.Response(502, text="<html>"), "answered 502"),
        (httpx.Response(500, json=["odd"]), "answered 500"),
    ],
)
def test_a_problem_becomes_a_sentence(answer: httpx.Response, said: str) -> None:
    with pytest.raises(Refused, match=said):
        client(lambda _: answer).ask("GET", "/x")


def test_a_server_that_breaks_off_is_a_sentence() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("", request=request)

    with pytest.raises(Refused, match="http://server broke off"):
        client(fail).ask("GET", "/x")


def test_a_key_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(Refused, match="INTURN_API_KEY"):
        Client("http://server", "schlüssel")


def test_following_asks_again_with_the_etag_and_yields_only_what_changed() -> None:
    asked: list[tuple[str | None, str | None]] = []
    answers = iter(
        [
            httpx.Response(200, headers={"ETag": '"1"'}, json={"status": "running"}),
            httpx.Response(304),
            httpx.Response(200, headers={"ETag": '"2"'}, json={"status": "idle"}),
        ]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.headers.get("If-None-Match"), request.url.params.get("wait")))
        return next(answers)

    seen = list(follow(client(answer), "sess_1", until_idle=True))
    assert json.dumps(seen) == '[{"status": "running"}, {"status": "idle"}]'
    assert asked == [(None, None), ('"1"', "30"), ('"1"', "30")]
