"""Keys: made, listed and revoked by admins."""

from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import KeyPath, Queried
from ingress.dialects.native.describe import problems
from ingress.dialects.native.wire.key import Key, NewKey, Rotation, ShownKey
from ingress.dialects.native.wire.paging import ListOf, NewestFirst, from_listing
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from ingress.route import AdminRoute
from shared.domain.idempotency import Answer
from shared.domain.principal import Key as DomainKey
from shared.domain.printed import from_key
from shared.domain.requests import Replayed

router = APIRouter(prefix="/v1/keys", route_class=AdminRoute, tags=["keys"])


@router.post(
    "", summary="Make a key", status_code=201, response_model=ShownKey, responses=problems(403)
)
async def create_key(call: Call, body: NewKey) -> Response:
    """Make a key; its secret, `key`, is shown now and never again: null to whoever asks again."""
    call.correlate(body.correlation_id)
    made = await call.platform.keys.create_once(
        call.principal, body.to_domain(), once(call, partial(_without_secret, status=201))
    )
    return _shown(made, 201)


@router.post(
    "/{key_id}/rotate",
    summary="Rotate a key",
    response_model=ShownKey,
    responses=problems(403, 404, 409),
)
async def rotate_key(call: Call, key_id: KeyPath, body: Rotation | None = None) -> Response:
    """Give a key another secret, shown like a new key's; what it may do and whose it is stays.

    The old secret passes for `overlap_seconds` more.
    """
    rotation = body or Rotation()
    call.correlate(rotation.correlation_id)
    rotated = await call.platform.keys.rotate_once(
        call.principal,
        key_id,
        once(call, partial(_without_secret, status=200)),
        overlap_seconds=rotation.overlap_seconds,
    )
    return _shown(rotated, 200)


def _shown(made: tuple[DomainKey, str] | Replayed, status: int) -> Response:
    response = respond(made, partial(_with_secret, status=status))
    response.headers["Cache-Control"] = "no-store"
    return response


def _with_secret(made: tuple[DomainKey, str], *, status: int) -> Answer:
    key, secret = made
    return as_answer({**from_key(key), "key": secret}, status)


def _without_secret(made: tuple[DomainKey, str], *, status: int) -> Answer:
    key, _ = made
    return as_answer({**from_key(key), "key": None}, status)


@router.get("", summary="List keys", response_model=ListOf[Key], responses=problems(403))
async def list_keys(call: Call, query: Queried[NewestFirst]) -> Response:
    """List every key, the revoked ones too."""
    listing = await call.platform.keys.list(query.page())
    return answer(from_listing(listing.map(from_key)))


@router.delete("/{key_id}", summary="Revoke a key", status_code=204, responses=problems(403, 404))
async def revoke_key(call: Call, key_id: KeyPath) -> Response:
    """Make a key worthless; what it did stays."""
    await call.platform.keys.revoke(key_id)
    return Response(status_code=204)
