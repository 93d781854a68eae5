"""The ElizaOS contract, `/api/messaging`."""

from fastapi import APIRouter

from ingress.dialects import Dialect
from ingress.dialects.elizaos.openapi import document
from ingress.dialects.elizaos.wire.error import render_error

router = APIRouter(redirect_slashes=False)

DIALECT = Dialect(
    name="elizaos",
    prefix="/api/messaging",
    router=router,
    render_error=render_error,
    document=document(router),
)
