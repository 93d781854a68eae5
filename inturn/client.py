"""How the client commands speak to a running server."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from inturn import devkey
from inturn.refused import refuse
from inturn.start import local_url, read_settings

# The longest the server holds an answer is 60 s; past that it is gone.
_PATIENCE = httpx.Timeout(75, connect=5)


class Client:
    """The native contract, as far as the commands need it; every refusal becomes a sentence."""

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        if not (key.isascii() and key.isprintable()):
            refuse("INTURN_API_KEY has a bad value; a key is visible ASCII characters.")
        self.url = url
        with _sentences(url):
            self._http = httpx.Client(
                base_url=url,
                headers={"X-API-Key": key},
                timeout=_PATIENCE,
                trust_env=False,
                transport=transport,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request; 2xx and 304 come back, everything else is refused."""
        with _sentences(self.url):
            answer = self._http.request(method, path, json=body, params=query, headers=headers)
        if not (answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED):
            refuse(_problem(answer))
        return answer


def connect() -> Client:
    """Open a client from INTURN_URL and INTURN_API_KEY, or what `inturn serve` left here."""
    settings = read_settings()
    url = os.environ.get("INTURN_URL") or local_url(settings.host, settings.port)
    key = os.environ.get("INTURN_API_KEY") or devkey.read(settings.data_dir)
    if not key:
        refuse(
            "no key: set INTURN_API_KEY, or run this where `inturn serve` keeps its data "
            f"({settings.data_dir}/dev.key is not there)."
        )
    return Client(url.rstrip("/"), key)


@contextmanager
def _sentences(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        refuse(f"INTURN_URL is '{url}'; allowed: http://host:port.")
    except httpx.ConnectError:
        refuse(f"no server answers at {url}; start one with `inturn serve`, or set INTURN_URL.")
    except httpx.HTTPError as error:
        refuse(f"the server at {url} broke off ({type(error).__name__}).")


def _problem(answer: httpx.Response) -> str:
    try:
        problem: dict[str, Any] = answer.json()
        wrong = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
            for each in problem.get("errors") or []
        ]
        return f"{problem['code']}: {problem['detail']} {'; '.join(wrong)}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"{answer.url} answered {answer.status_code}."
