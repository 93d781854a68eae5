"""What the bodies of this contract share."""

from pydantic import BaseModel, ConfigDict

from ingress.fields import CorrelationId
from shared.domain.errors import NotSupported


class Body(BaseModel):
    """A request body: nothing is converted, nothing unknown is dropped."""

    model_config = ConfigDict(strict=True, extra="forbid")

    correlation_id: CorrelationId | None = None


class Command(Body):
    """It takes no options."""


def refuse_unbuilt(body: BaseModel, names: frozenset[str]) -> None:
    """Refuse what the contract names and nobody has built; its default is accepted."""
    for name in sorted(body.model_fields_set & names):
        field = type(body).model_fields[name]
        if getattr(body, name) != field.get_default(call_default_factory=True, validated_data={}):
            raise NotSupported(("body", name))
