"""Attachments: kept as they came, and what the agent sees of them."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from ingress.content import MAX_BLOCKS
from ingress.dialects.elizaos.wire.refusal import invalid_content
from ingress.fields import json_object
from shared.domain.jsontypes import JsonObject

_KINDS = ("image", "file", "audio", "video", "document")
_URL = re.compile(r"https?://|data:", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,127}/[\w.+-]{1,127}", re.ASCII)
_MAX_NAME = 200


class Attachment(BaseModel):
    """Something beside the text; other fields are kept, too."""

    type: Literal["image", "file", "audio", "video", "document"]
    url: Annotated[str, Field(pattern=r"^(https?://|data:)")]
    name: str | None = None
    mimeType: str | None = None
    size: float | None = None


AttachmentsField = Annotated[
    object,
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "array",
                    "items": Attachment.model_json_schema(),
                    "maxItems": MAX_BLOCKS,
                },
                {"type": "null"},
            ]
        }
    ),
]


def to_attachments(given: object) -> tuple[JsonObject, ...]:
    """Read attachments. Raises Refusal."""
    if given is None:
        return ()
    if not isinstance(given, list):
        raise invalid_content("attachments must be an array")
    if len(given) > MAX_BLOCKS:
        raise invalid_content(f"more than {MAX_BLOCKS} attachments")
    for each in given:
        _check(each)
    return tuple(map(json_object, given))


def _check(given: object) -> None:
    if not isinstance(given, dict) or given.get("type") not in _KINDS:
        raise invalid_content(f"an attachment is an object of type {', '.join(_KINDS)}")
    url = given.get("url")
    if not isinstance(url, str) or not _URL.match(url):
        raise invalid_content("the url of an attachment begins with https://, http:// or data:")


def to_block(attachment: JsonObject) -> JsonObject:
    """Show an attachment to the agent as a block of content."""
    url = attachment["url"]
    if attachment["type"] == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    block: dict[str, object] = {
        "type": "audio" if attachment["type"] == "audio" else "file",
        "url": url,
    }
    media_type, name = attachment.get("mimeType"), attachment.get("name")
    if isinstance(media_type, str) and _MEDIA_TYPE.fullmatch(media_type):
        block["media_type"] = media_type
    if isinstance(name, str) and name:
        block["name"] = name[:_MAX_NAME]
    return json_object(block)
