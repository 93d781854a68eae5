"""What was fetched for a run, on the wire: how the search went, then every chunk."""

from typing import cast

from pydantic import BaseModel, ConfigDict, Field

from ingress.dialects.powabase.wire.spelling import dashed
from shared.domain.jsontypes import Json, JsonObject

DIAGNOSTICS, CHUNK = "retrieval_diagnostics", "text_embedding_chunk"
MAX_EXCERPT_CHARS = 300


class Retrieved(BaseModel):
    """The first element is `retrieval_diagnostics`, with the counts; the others are chunks.

    A chunk that was left out of the prompt has `included_in_context: false`.
    """

    model_config = ConfigDict(extra="allow")

    type_: str = Field(alias="_type")
    total_items: int | None = None
    items_included: int | None = None
    items_dropped: int | None = None
    id: object = None
    text: str | None = None
    score: float | None = None
    retrieval_score: float | None = None
    reranker_score: float | None = None
    source_id: str | None = None
    source_name: str | None = None
    knowledge_base_id: str | None = None
    kb_name: str | None = None
    indexing_strategy: str | None = None
    meta: dict[str, object] | None = None
    included_in_context: bool | None = None


class RetrievedContext(BaseModel):
    """All that was fetched for one run; nothing is an empty list."""

    session_id: str
    run_id: str
    retrieved_context: list[Retrieved]


class Citation(BaseModel):
    """Where a part of the answer comes from; `key` is how the answer names it."""

    key: str
    item_id: object
    source_id: object
    source_name: object
    text_excerpt: str
    meta: object


def from_context(chunks: tuple[JsonObject, ...]) -> list[Json]:
    """Print what was retrieved, diagnostics first."""
    if not chunks:
        return []
    included = sum(_is_included(chunk) for chunk in chunks)
    diagnostics: JsonObject = {
        "_type": DIAGNOSTICS,
        "total_items": len(chunks),
        "items_included": included,
        "items_dropped": len(chunks) - included,
    }
    return [diagnostics, *map(_chunk, chunks)]


def _is_included(chunk: JsonObject) -> bool:
    return bool(chunk.get("included_in_context", True))


def _chunk(stored: JsonObject) -> JsonObject:
    """Print a chunk; what this contract has no name for is passed on."""
    own: JsonObject = {
        "_type": stored.get("_type") or CHUNK,
        "id": dashed(stored.get("id", stored.get("chunk_id"))),
        "text": _text(stored.get("text")),
        "score": _score(stored, "score"),
        "retrieval_score": _score(stored, "retrieval_score"),
        "reranker_score": _score(stored, "reranker_score"),
        "source_id": _id(stored, "source_id"),
        "source_name": _word(stored, "source_name"),
        "knowledge_base_id": _id(stored, "knowledge_base_id"),
        "kb_name": _word(stored, "kb_name"),
        "indexing_strategy": _word(stored, "indexing_strategy"),
        "meta": meta if isinstance(meta := stored.get("meta"), dict) else {},
        "included_in_context": _is_included(stored),
    }
    others = stored.keys() - own.keys() - {"chunk_id"}
    return own | {name: stored[name] for name in sorted(others)}


def from_citations(citations: tuple[JsonObject, ...]) -> list[Json]:
    """Print citations."""
    return [_citation(each) for each in citations]


def _citation(stored: JsonObject) -> JsonObject:
    return {
        "key": str(stored.get("key", "")),
        "item_id": dashed(stored.get("chunk_id")),
        "source_id": dashed(stored.get("source_id")),
        "source_name": stored.get("source_name"),
        "text_excerpt": _text(stored.get("text_excerpt"))[:MAX_EXCERPT_CHARS],
        "meta": stored.get("meta") or {},
    }


def _text(value: Json) -> str:
    return "" if value is None else str(value)


def _score(chunk: JsonObject, name: str) -> float | None:
    value = chunk.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _id(chunk: JsonObject, name: str) -> Json:
    value = dashed(chunk.get(name))
    return value if value is None else str(value)


def _word(chunk: JsonObject, name: str) -> str | None:
    value = cast("object", chunk.get(name))
    return None if value is None else str(value)
