"""The native contract, `/v1`: what the compatible dialects are views of."""

from functools import partial

from fastapi import APIRouter

from ingress.dialects import Dialect
from ingress.dialects.native.openapi import document
from ingress.dialects.native.routes import (
    agents,
    batch,
    events,
    keys,
    messages,
    ops,
    runs,
    schedules,
    sessions,
    states,
    status,
    unbuilt,
    webhooks,
)
from ingress.dialects.native.wire.problem import render_error

router = APIRouter(redirect_slashes=False)
# One flat list, busiest first: FastAPI matches an included router twice.
for noun in (
    messages,
    batch,
    status,
    sessions,
    states,
    runs,
    events,
    agents,
    keys,
    schedules,
    ops,
    webhooks,
):
    router.routes.extend(noun.router.routes)
router.routes.extend(unbuilt.ROUTES)

DIALECT = Dialect(
    name="native",
    prefix="/v1",
    router=router,
    render_error=render_error,
    document=partial(document, router),
)
