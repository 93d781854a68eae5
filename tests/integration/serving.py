"""A server that answers in a folder of its own, for those who call it from outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx

from tests.command import Process
from tests.services import LOOPBACK, free_port


@dataclass(frozen=True)
class Served:
    """Where it is, and an admin's key to it."""

    url: str
    key: str
    process: Process

    def ask(self, method: str, path: str, **parts: object) -> httpx.Response:
        """One request, which must succeed."""
        headers = {"X-API-Key": self.key}
        url, body = f"{self.url}{path}", parts or None
        answer = httpx.request(method, url, headers=headers, json=body, trust_env=False)
        return answer.raise_for_status()

    def agent(self, name: str) -> str:
        """The agent's id as ElizaOS spells it."""
        return str(UUID(self.ask("GET", f"/v1/agents/{name}").json()["id"].removeprefix("agent_")))

    def limited_key(self, rate: str) -> str:
        """A key that may post so often."""
        body = {"name": rate, "scope": "service", "rate_limit": rate}
        key: str = self.ask("POST", "/v1/keys", **body).json()["key"]
        return key


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[Served]:
    """Run `inturn serve` there until the end; whatever it did not expect is a failure."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    with Process("serve", "--port", str(port), folder=folder, url=url, **settings) as process:
        process.until_ready()
        yield Served(url, (folder / "data" / "dev.key").read_text().strip(), process)
        assert "Traceback" not in process.said, process.said
