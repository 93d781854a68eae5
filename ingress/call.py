"""One request past our door: who asks, for what platform, with a body parsed once."""

from hashlib import sha256

from starlette.requests import Request

from ingress.body import JSON, MERGE_PATCH, check_media_type, read_body
from ingress.strictjson import parse_json
from shared.bootstrap import Platform
from shared.domain.access import Access
from shared.domain.jsontypes import Json
from shared.domain.principal import Principal
from shared.domain.rates import Meter
from shared.ids import SessionId

PLATFORM = "inturn.platform"
CORRELATION_ID = "inturn.correlation_id"


class Call(Request):
    """The request as routes see it; a route function takes one as its first parameter."""

    access: Access
    has_body = False
    parsed: Json = None
    idempotency_key: str | None = None
    body_hash = b""  # of the body as it came, where there is an idempotency key

    @property
    def platform(self) -> Platform:
        """The services."""
        platform: Platform = self.scope[PLATFORM]
        return platform

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.access.principal

    def meters(self, session_id: SessionId) -> tuple[Meter, ...]:
        """List what a message to this session is charged to."""
        return self.platform.rates.meters(self.principal, self.access.meter, session_id)

    @property
    def correlation_id(self) -> str:
        """The caller's, or one that we made up; every answer echoes it."""
        correlation_id: str = self.scope[CORRELATION_ID]
        return correlation_id

    def correlate(self, given: str | None) -> str:
        """Let the body's correlation id, if it has one, win over the header's."""
        if given:
            self.scope[CORRELATION_ID] = given
        return given or self.correlation_id

    async def read_json(self) -> None:
        """Read and parse the body; an empty one is none."""
        raw = await self.read_raw()
        if raw:
            allowed = (JSON, MERGE_PATCH) if self.method == "PATCH" else (JSON,)
            check_media_type(self.scope, *allowed)
            self.has_body, self.parsed = True, parse_json(raw)

    async def read_raw(self) -> bytes:
        """Read the body, and note what is compared when its idempotency key comes again."""
        limit = self.platform.settings.max_body_bytes
        raw = await read_body(self.scope, self.receive, limit)
        if self.idempotency_key is not None:
            self.body_hash = sha256(raw).digest()
        return raw
