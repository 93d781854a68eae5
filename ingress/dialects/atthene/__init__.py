"""The Atthene contract, `/api/v1`."""

from fastapi import APIRouter

from ingress.dialects import Dialect
from ingress.dialects.atthene.openapi import document
from ingress.dialects.atthene.routes import runtime, sessions
from ingress.dialects.atthene.wire.error import render_error

router = APIRouter(redirect_slashes=False)
# One flat list: FastAPI matches an included router twice.
for each in (runtime.router, sessions.configuring, sessions.router):
    router.routes.extend(each.routes)

DIALECT = Dialect(
    name="atthene",
    prefix="/api/v1",
    router=router,
    render_error=render_error,
    document=document(router),
)
