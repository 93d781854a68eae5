"""`inturn healthy` asks where the process beside it listens, and says in one word how it is."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from inturn.main import command
from inturn.refused import Refused
from tests.services import LOOPBACK, free_port


class Process(BaseHTTPRequestHandler):
    """Lives, and is not ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer((LOOPBACK, 0), Process) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def healthy(*options: str, **environment: object) -> int:
    set_to: dict[str, str | None] = dict.fromkeys(
        ("INTURN_HOST", "INTURN_PORT", "INTURN_METRICS_PORT")
    )
    set_to |= {f"INTURN_{name}": str(value) for name, value in environment.items()}
    told = CliRunner().invoke(command(["healthy"]), ["healthy", *options], env=set_to)
    if isinstance(told.exception, Refused):
        raise told.exception
    return told.exit_code


def test_the_environment_of_a_process_says_where_it_is(port: int) -> None:
    nowhere = free_port()
    assert healthy(PORT=port) == 0
    assert healthy(PORT=port, METRICS_PORT=0, HOST="0.0.0.0") == 0  # noqa: S104
    assert healthy(PORT=nowhere, METRICS_PORT=port) == 0
    assert healthy(PORT=nowhere) == 1
    assert healthy("--url", f"http://{LOOPBACK}:{port}", PORT=nowhere) == 0


def test_to_live_is_not_to_be_ready(port: int) -> None:
    assert healthy("--ready", PORT=port) == 1


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Refused):
        healthy("--url", "nonsense")
