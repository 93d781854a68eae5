"""What a message says: a string, or blocks."""

import base64
import binascii
from typing import Annotated, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic import StringConstraints as Text

from ingress.parameters import TAG
from shared.domain.errors import ValidationFailed
from shared.domain.message import Content, plain_text

MAX_BLOCKS = 20

Url = Annotated[str, Text(min_length=1, pattern=r"^(https?://|data:)")]
MediaType = Annotated[str, Text(max_length=255, pattern=r"^[\w.+-]+/[\w.+-]+$")]


class Block(BaseModel):
    """One piece of a message."""

    model_config = ConfigDict(strict=True, extra="forbid")


class TextBlock(Block):
    """Text."""

    type: Literal["text"]
    text: Annotated[str, Text(min_length=1)]


class ImageUrl(Block):
    """Where an image is; `data:` URLs carry it along."""

    url: Url
    detail: Literal["auto", "low", "high"] | None = None


class ImageBlock(Block):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl


class _Attachment(Block):
    url: Url | None = None
    data: Annotated[str, Text(min_length=1), Field(description="Base64.")] | None = None
    media_type: MediaType | None = None
    name: Annotated[str, Text(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.url is None) == (self.data is None):
            message = "give either `url` or `data`"
            raise ValueError(message)
        if self.data is not None and self.media_type is None:
            message = "`data` needs its `media_type`"
            raise ValueError(message)
        if self.data is not None:
            _check_base64(self.data)
        return self


def _check_base64(data: str) -> None:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        message = "`data` is not base64"
        raise ValueError(message) from None


class FileBlock(_Attachment):
    """A file, by address or with its bytes."""

    type: Literal["file"]


class AudioBlock(_Attachment):
    """A recording, by address or with its bytes."""

    type: Literal["audio"]


KINDS = {"text", "image_url", "file", "audio"}


def _block_tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else None
    return f"{TAG}{kind}" if isinstance(kind, str) and kind in KINDS else None


def _content_tag(value: object) -> str | None:
    if isinstance(value, str):
        return f"{TAG}text"
    return f"{TAG}blocks" if isinstance(value, list) else None


AnyBlock = Annotated[
    Annotated[TextBlock, Tag(f"{TAG}text")]
    | Annotated[ImageBlock, Tag(f"{TAG}image_url")]
    | Annotated[FileBlock, Tag(f"{TAG}file")]
    | Annotated[AudioBlock, Tag(f"{TAG}audio")],
    Discriminator(
        _block_tag,
        custom_error_type="block_type",
        custom_error_message="expected a block of type text, image_url, file or audio",
    ),
]
ContentField = Annotated[
    Annotated[str, Text(min_length=1), Tag(f"{TAG}text")]
    | Annotated[list[AnyBlock], Field(min_length=1, max_length=MAX_BLOCKS), Tag(f"{TAG}blocks")],
    Discriminator(
        _content_tag,
        custom_error_type="content_type",
        custom_error_message="expected a string or a list of blocks",
    ),
]


def to_content(
    value: str | list[AnyBlock],
    max_chars: int,
    loc: tuple[str | int, ...] = ("body", "content"),
) -> Content:
    """Translate content whose text is not too long; `loc` is where it is."""
    content = cast("Content", value)
    if not isinstance(value, str):
        content = [block.model_dump(exclude_unset=True) for block in value]
    if len(plain_text(content)) > max_chars:
        raise ValidationFailed.of(loc, f"more than {max_chars} characters of text")
    return content
