"""When sessions expire: what callers wish, and what they get."""

from typing import Annotated, TypeAlias

from fastapi import Body
from pydantic import BaseModel, ConfigDict, WithJsonSchema

from ingress.dialects.elizaos.wire.numbers import number, truthy
from ingress.dialects.elizaos.wire.refusal import invalid_timeout
from shared.domain.jsontypes import JsonObject
from shared.domain.lifetime import Expiry, Wish

_NUMBERS = ("timeoutMinutes", "maxDurationMinutes", "warningThresholdMinutes")


def _minutes(description: str) -> WithJsonSchema:
    choices = [{"type": "number"}, {"type": "string"}]
    return WithJsonSchema({"anyOf": choices, "description": description})


class TimeoutWish(BaseModel):
    """When a session should expire; what is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"timeoutMinutes": 60, "autoRenew": True}}
    )

    timeoutMinutes: Annotated[
        object, _minutes("How long it lives after its last message; a number, or one as text.")
    ] = None
    autoRenew: Annotated[
        object,
        WithJsonSchema({"type": "boolean", "description": "Whether messages put the end off."}),
    ] = None
    maxDurationMinutes: Annotated[
        object, _minutes("How long it lives at most after it was created.")
    ] = None
    warningThresholdMinutes: Annotated[
        object, _minutes("How long before its end the warning comes.")
    ] = None


TimeoutBody = Annotated[object, WithJsonSchema(TimeoutWish.model_json_schema()), Body()]


class TimeoutConfig(BaseModel):
    """When a session expires; `maxDurationMinutes` is null where nothing bounds it."""

    timeoutMinutes: float
    autoRenew: bool
    maxDurationMinutes: float | None
    warningThresholdMinutes: float | None


Given: TypeAlias = dict[str, object]


def to_wish(config: object) -> Wish:
    """Read what somebody wishes who creates a session: never refused, only bounded later."""
    if config is None:
        return Wish()
    if not isinstance(config, dict):
        raise invalid_timeout("must be an object", config)
    return Wish(
        timeout_minutes=_wished(config, "timeoutMinutes"),
        auto_renew=truthy(config["autoRenew"]) if "autoRenew" in config else None,
        max_duration_minutes=_wished(config, "maxDurationMinutes"),
        warning_threshold_minutes=_wished(config, "warningThresholdMinutes"),
    )


def to_change(config: object) -> Wish:
    """Read what somebody wishes who changes a session's policy; of the right types."""
    if not isinstance(config, dict):
        raise invalid_timeout("must be an object", config)
    for name in _NUMBERS:
        given = config.get(name, 0)
        if isinstance(given, bool) or not isinstance(given, int | float | str):
            raise invalid_timeout(f"{name} must be a number", config)
    if not isinstance(config.get("autoRenew", True), bool):
        raise invalid_timeout("autoRenew must be a boolean", config)
    return to_wish(config)


def _wished(config: Given, name: str) -> float | None:
    return number(config[name]) if name in config else None


def from_expiry(expiry: Expiry) -> JsonObject:
    """Print a policy."""
    return {
        "timeoutMinutes": _whole(expiry.timeout_minutes),
        "autoRenew": expiry.auto_renew,
        "maxDurationMinutes": _whole(expiry.max_duration_minutes),
        "warningThresholdMinutes": _whole(expiry.warning_threshold_minutes),
    }


def _whole(minutes: float | None) -> float | None:
    """Print whole minutes as such."""
    return int(minutes) if minutes is not None and minutes == int(minutes) else minutes
