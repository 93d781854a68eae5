"""The OpenAPI document of this contract."""

from collections.abc import Callable

from fastapi import APIRouter

from ingress.dialects.atthene.wire.error import Problem
from ingress.openapi import Document, build
from shared.settings import Settings

_ABOUT = "The Atthene contract, on the sessions, messages and runs of this server."


def document(router: APIRouter) -> Callable[[Settings], Document]:
    """Return what builds the document."""

    def made(_: Settings) -> Document:
        return build(router, title="Atthene", about=_ABOUT, error=Problem, always=(401, 500, 503))

    return made
