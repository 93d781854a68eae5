"""The Powabase contract, `/api`."""

from fastapi import APIRouter

from ingress.dialects import Dialect
from ingress.dialects.powabase.openapi import document
from ingress.dialects.powabase.wire.error import render_error

router = APIRouter(redirect_slashes=False)

DIALECT = Dialect(
    name="powabase",
    prefix="/api",
    router=router,
    render_error=render_error,
    document=document(router),
)
