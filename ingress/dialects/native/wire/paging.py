"""Lists on the wire: a slice, and where the next one begins."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ingress.deps import whole
from shared.domain.jsontypes import Json
from shared.domain.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Listing,
    Page,
    decode_cursor,
    encode_cursor,
)

T = TypeVar("T")

BY_TIME = (int, str)  # microseconds, then the id: instants order nothing by themselves
BY_SEQ = (int,)


class PageQuery(BaseModel):
    """Which slice of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(whole)] = DEFAULT_LIMIT
    cursor: Annotated[str, Field(max_length=512, description="`next_cursor` of a page.")] | None = (
        None
    )
    order: Literal["asc", "desc"]

    def page(self, shape: tuple[type, ...] = BY_TIME) -> Page:
        """Translate; `shape` is what this list's cursors hold."""
        cursor = None if self.cursor is None else decode_cursor(self.cursor, shape)
        return Page(limit=self.limit, cursor=cursor, descending=self.order == "desc")


class NewestFirst(PageQuery):
    """Newest first unless asked otherwise."""

    order: Literal["asc", "desc"] = "desc"


class OldestFirst(PageQuery):
    """In order unless asked otherwise."""

    order: Literal["asc", "desc"] = "asc"


class ListOf(BaseModel, Generic[T]):
    """One page; `next_cursor` is null on the last."""

    data: list[T]
    next_cursor: str | None


def from_listing(listing: Listing[Json]) -> dict[str, Json]:
    """Print a page."""
    return {"data": list(listing.data), "next_cursor": encode_cursor(listing.next_cursor)}
