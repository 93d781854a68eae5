"""Changing JSON by JSON: RFC 7396."""

from shared.domain.jsontypes import Json, JsonObject


def merge_patch(target: Json, patch: JsonObject) -> JsonObject:
    """Return the object that a merge patch makes of `target`: null removes, objects merge."""
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge_patch(merged.get(name), value)
        else:
            merged[name] = value
    return merged
