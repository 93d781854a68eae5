"""What was fetched for a run: every candidate as the model saw it, admitted or not."""

from dataclasses import dataclass, field

from shared.domain.jsontypes import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedContext:
    """`diagnostics` say how the search went; nothing retrieved is an empty `chunks`."""

    diagnostics: JsonObject = field(default_factory=dict)
    chunks: tuple[JsonObject, ...] = ()
