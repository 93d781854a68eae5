"""The application over a real platform, on both stacks; no worker runs unless a test is one."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import structlog
from starlette.types import ASGIApp

from ingress.app import create_app
from shared.bootstrap import Platform, open_platform
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewKey
from shared.ids import new_id
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.performer import Performer
from tests.api.sockets import ENTITY, Client, connected, served
from tests.conftest import run_sql
from tests.platforms import migrate, sqlite_url

ADMIN_KEY = "an-admin-key-for-tests"


@pytest.fixture(autouse=True)
def plain_log() -> Iterator[None]:
    """Tracebacks without local variables: drawing those takes longer than any test."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy."""
    folder = tmp_path_factory.mktemp("api")
    migrate(sqlite_url(folder / "inturn.db"), folder)
    return folder / "inturn.db"


@pytest.fixture(scope="session")
def postgres(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated database, which only these tests use: each has a tenant of its own in it."""
    url = new_database()
    migrate(url, tmp_path_factory.mktemp("api"))
    run_sql(f"ALTER DATABASE {urlsplit(url).path[1:]} SET synchronous_commit = off")
    return url


@pytest.fixture(params=["sqlite, embedded", "postgres, rabbitmq"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Both stacks; the second is skipped where its services do not answer."""
    common = {"bootstrap_key": ADMIN_KEY, "data_dir": tmp_path, "max_body_bytes": 100_000}
    if request.param.startswith("sqlite"):
        shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path)
        return Settings.model_validate(common)
    namespace: str = request.getfixturevalue("namespace")
    request.getfixturevalue("queues").add(f"{namespace}.default")
    services = {
        "database_url": request.getfixturevalue("postgres"),
        "broker_url": request.getfixturevalue("broker_url"),
        "namespace": namespace,
    }
    return Settings.model_validate(common | services)


@pytest.fixture
async def platform(settings: Settings) -> AsyncIterator[Platform]:
    async with open_platform(settings) as opened:
        yield opened


@pytest.fixture
def app(settings: Settings, platform: Platform) -> ASGIApp:
    return create_app(settings, platform)


@pytest.fixture
async def http(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody yet: no credential."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://inturn") as client:
        yield client


@pytest.fixture
def admin(http: httpx.AsyncClient) -> Caller:
    return Caller(http, ADMIN_KEY)


@pytest.fixture
async def service(http: httpx.AsyncClient, platform: Platform, tenant: str) -> Caller:
    """All that one tenant has; the tenant is new, so lists hold what the test made."""
    key, secret = await platform.keys.create(
        NewKey(name="service", scope=Scope.SERVICE, tenant=tenant)
    )
    assert key.tenant == tenant
    return Caller(http, secret)


@pytest.fixture
def tenant() -> str:
    return f"tenant-{new_id()}"


@pytest.fixture
async def ada(http: httpx.AsyncClient, platform: Platform, tenant: str) -> Caller:
    """A user of the tenant."""
    return await user(http, platform, tenant, "ada")


@pytest.fixture
async def bob(http: httpx.AsyncClient, platform: Platform, tenant: str) -> Caller:
    """Another user of the same tenant."""
    return await user(http, platform, tenant, "bob")


async def user(http: httpx.AsyncClient, platform: Platform, tenant: str, name: str) -> Caller:
    new = NewKey(name=name, scope=Scope.USER, tenant=tenant, user_id=name)
    _, secret = await platform.keys.create(new)
    return Caller(http, secret)


@pytest.fixture
def owner(tenant: str) -> Principal:
    """The principal of `service`."""
    return Principal(tenant=tenant, user_id=None, scope=Scope.SERVICE)


@pytest.fixture
def performer(platform: Platform) -> Performer:
    return Performer(platform)


@pytest.fixture
async def url(app: ASGIApp, platform: Platform) -> AsyncIterator[str]:
    """The application on a real port."""
    async with served(app, platform.signals.release) as at:
        yield at


@pytest.fixture
def transport() -> str:
    """How sockets talk; tests of both have a fixture of their own."""
    return "websocket"


@pytest.fixture
async def client(url: str, transport: str, service: Caller) -> AsyncIterator[Client]:
    """Somebody on a socket, with a name."""
    auth = {"entityId": ENTITY, "apiKey": service.key}
    async with connected(url, transport=transport, auth=auth) as connection:
        yield connection


@pytest.fixture
async def listener(url: str, service: Caller) -> AsyncIterator[Client]:
    """Somebody on a socket, without."""
    async with connected(url, X_API_Key=service.key) as connection:
        yield connection
