"""The containers, without an engine: read, and each command started as a process of this machine.

What an image would add to its environment is taken from the Dockerfile; the names of the two
services become loopback addresses, and ports become free ones. Nothing else is changed.
"""

import json
import re
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from shared.settings import PREFIX
from tests.command import Process, run, run_here
from tests.integration.conftest import Apart
from tests.services import LOOPBACK, free_port

ROOT = Path(__file__).parents[2]
KEPT = {"postgres": "/var/lib/postgresql/data", "rabbitmq": "/var/lib/rabbitmq"}
OURS = {"migrate", "ingress", "worker", "sweeper"}

Service = dict[str, Any]
Instruction = tuple[str, str]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as `docker compose` reads it, where no variable is set."""
    text = (ROOT / "docker-compose.yml").read_text()
    plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    assert "$" not in plain, "a variable without a default"
    parsed: dict[str, Any] = yaml.safe_load(plain)
    return parsed


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


@pytest.fixture(scope="module")
def image() -> list[Instruction]:
    """The last stage of the Dockerfile, an instruction after the other."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
    instructions = [
        (word.upper(), rest.strip()) for word, _, rest in (s.partition(" ") for s in lines)
    ]
    last = max(index for index, (word, _) in enumerate(instructions) if word == "FROM")
    return instructions[last:]


def of(image: list[Instruction], word: str) -> str:
    """The one instruction of this kind that counts: the last."""
    return [rest for each, rest in image if each == word][-1]


def baked_in(image: list[Instruction]) -> dict[str, str]:
    words = [word for each, rest in image if each == "ENV" for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


def test_the_image_runs_as_nobody_in_particular_and_says_when_it_is_well(
    image: list[Instruction],
) -> None:
    user, _, group = of(image, "USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert "CMD [" in of(image, "HEALTHCHECK")
    assert of(image, "FROM").startswith("python:3.11-slim")
    assert not re.search(r"\b(gcc|build-essential|apt-get)\b", " ".join(rest for _, rest in image))


def test_the_image_holds_the_lock_and_our_packages_and_nothing_to_build_with() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes --requirement requirements.lock" in text
    copied = {
        line.split()[1]
        for line in text.splitlines()
        if line.startswith("COPY ") and "--" not in line
    }
    packages = yaml.safe_load(
        re.findall(r"^packages = (\[.*\])$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    )
    assert copied == {"requirements.lock", *packages}
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    assert sent == {"requirements.lock", "pyproject.toml", *packages}


def test_every_service_that_stays_is_looked_after(services: dict[str, Service]) -> None:
    assert services.keys() == {*KEPT, *OURS}
    for name, service in services.items():
        if service["restart"] == "no":
            assert service["healthcheck"] == {"disable": True}, name
            continue
        check = service["healthcheck"]
        assert check["test"][0] == "CMD", name
        assert {"interval", "timeout", "retries", "start_period"} <= check.keys(), name


def test_what_must_outlive_its_container_is_in_a_named_volume(compose: dict[str, Any]) -> None:
    for name, path in KEPT.items():
        volumes = [each.split(":") for each in compose["services"][name]["volumes"]]
        assert [target for _, target in volumes] == [path]
        assert {source for source, _ in volumes} <= compose["volumes"].keys()


def test_nothing_stands_in_the_way_of_more_of_them(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert "container_name" not in service, name
        published = service.get("ports", [])
        assert [each.rpartition(":")[0] for each in published] == (
            ["127.0.0.1:8000"] if name == "ingress" else []
        )
    assert "hostname" not in services["worker"]


def test_everybody_waits_for_what_it_needs(services: dict[str, Service]) -> None:
    healthy, ended = (
        {"condition": "service_healthy"},
        {"condition": "service_completed_successfully"},
    )
    assert services["migrate"]["depends_on"] == {"postgres": healthy}
    for name in OURS - {"migrate"}:
        needed = {"migrate": ended, "postgres": healthy, "rabbitmq": healthy}
        assert services[name]["depends_on"] == needed, name


def test_the_addresses_are_those_of_the_services_beside(services: dict[str, Service]) -> None:
    database, broker = services["postgres"]["environment"], services["rabbitmq"]["environment"]
    for name in OURS:
        environment = services[name]["environment"]
        url = urlsplit(environment["INTURN_DATABASE_URL"])
        assert (url.hostname, url.port, url.path) == (
            "postgres",
            5432,
            f"/{database['POSTGRES_DB']}",
        )
        assert (url.username, url.password) == (
            database["POSTGRES_USER"],
            database["POSTGRES_PASSWORD"],
        )
        url = urlsplit(environment["INTURN_BROKER_URL"])
        assert (url.hostname, url.port) == ("rabbitmq", 5672)
        assert (url.username, url.password) == (
            broker["RABBITMQ_DEFAULT_USER"],
            broker["RABBITMQ_DEFAULT_PASS"],
        )


@pytest.fixture
def moved(
    new_database: Callable[[], str], broker_url: str, apart: Apart, image: list[Instruction]
) -> dict[str, Any]:
    """What differs on this machine: where the services are, and names that nobody else uses."""
    baked = {name.removeprefix(PREFIX) for name in baked_in(image)}
    assert {"HOST", "DATA_DIR"} <= baked
    return apart(new_database(), broker_url) | {"HOST": LOOPBACK}


def settings_of(
    service: Service, image: list[Instruction], moved: dict[str, Any]
) -> dict[str, Any]:
    given = baked_in(image) | {name: str(value) for name, value in service["environment"].items()}
    settings = {n.removeprefix(PREFIX): v for n, v in given.items() if n.startswith(PREFIX)}
    port = "METRICS_PORT" if "METRICS_PORT" in settings else "PORT"
    kept = {name: value for name, value in settings.items() if name != "DATA_DIR"}
    return kept | moved | {port: free_port()}


def test_every_command_gets_healthy_serves_and_stops(
    services: dict[str, Service], image: list[Instruction], moved: dict[str, Any], tmp_path: Path
) -> None:
    assert json.loads(of(image, "ENTRYPOINT")) == ["inturn"]
    settings = {name: settings_of(services[name], image, moved) for name in sorted(OURS)}
    command = {name: services[name]["command"] for name in sorted(OURS)}
    migrated = run(*command.pop("migrate"), folder=tmp_path, **settings["migrate"])
    assert migrated.returncode == 0, migrated.stderr
    with ExitStack() as running:
        processes = {}
        for name, arguments in command.items():
            assert ask(services[name], settings[name], tmp_path) == 1, "it is not there yet"
            port = settings[name].get("METRICS_PORT") or settings[name]["PORT"]
            url = f"http://{LOOPBACK}:{port}"
            process = Process(*arguments, folder=tmp_path, url=url, **settings[name])
            processes[name] = running.enter_context(process)
        for name, process in processes.items():
            process.until_ready()
            assert ask(services[name], settings[name], tmp_path) == 0
        key = settings["ingress"]["BOOTSTRAP_KEY"]
        sent = run_here("send", "hi", folder=tmp_path, URL=processes["ingress"].url, API_KEY=key)
        assert (sent.returncode, sent.stdout) == (0, "hi\n"), sent.stderr
        for name, process in processes.items():
            assert process.stop() == 0, f"{name}\n{process.said}"


def ask(service: Service, settings: dict[str, Any], folder: Path) -> int:
    """Run the service's own health check where it would run: beside the process."""
    words = service["healthcheck"]["test"]
    assert words[:2] == ["CMD", "inturn"]
    return run(*words[2:], folder=folder, **settings).returncode
