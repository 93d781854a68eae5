"""The ASGI application: every dialect behind one door."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ingress.cors import with_cors
from ingress.dialects import Dialect, atthene, elizaos, native, powabase
from ingress.dialects.elizaos.sockets import Sockets
from ingress.middleware import Door
from ingress.root import root_router
from shared.bootstrap import Platform, open_platform
from shared.settings import Settings

# The first whose prefix fits answers; what fits none is answered in the shape of the last.
DIALECTS: tuple[Dialect, ...] = (
    elizaos.DIALECT,
    atthene.DIALECT,
    powabase.DIALECT,
    native.DIALECT,
)


def create_app(settings: Settings, platform: Platform | None = None) -> ASGIApp:
    """Build the application; without a platform it opens its own while it is served."""
    root = Dialect(
        name="root",
        prefix="",
        router=root_router(DIALECTS, settings),
        render_error=native.DIALECT.render_error,
        document=native.DIALECT.document,
    )
    door = Door((*DIALECTS, root))
    sockets = Sockets(settings)
    door.platform = sockets.platform = platform

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        if platform is not None:
            yield
            await sockets.close()
            return
        async with open_platform(settings) as opened:
            door.platform = sockets.platform = opened
            yield
            await sockets.close()
            door.platform = sockets.platform = None

    life = Router(lifespan=lifespan)

    entrance = with_cors(door, settings)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and sockets.speak_for(scope["path"]):
            await sockets(scope, receive, send)
        else:
            await (entrance if scope["type"] == "http" else life)(scope, receive, send)

    return app
