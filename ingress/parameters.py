"""Reading a route's parameters by its signature.

FastAPI documents the same signature; its own reader also serves dependencies, forms and cookies,
which no route here has, and takes as long as everything else a request needs.
"""

from collections.abc import Iterable
from typing import Protocol, cast
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ingress.call import Call
from shared.domain.errors import FieldError, ValidationFailed

Loc = tuple[str | int, ...]

# Unions are told apart by tags, which pydantic puts into the path of an error.
TAG = "\x1f"


class Field(Protocol):
    """FastAPI's own type of a parameter, as far as it is used here."""

    name: str
    field_info: FieldInfo

    @property
    def alias(self) -> str: ...

    def get_default(self) -> object: ...

    def validate(self, value: object, *, loc: Loc) -> tuple[object, list[dict[str, object]]]: ...


class Parameters:
    """What one route function takes: the call, and fields of path, query and body."""

    def __init__(self, dependant: Dependant, *, strict: bool = True) -> None:
        if dependant.dependencies or dependant.header_params or dependant.cookie_params:
            message = f"{dependant.path}: only path, query and body parameters are read"
            raise TypeError(message)
        self._strict = strict  # else what is unknown, or there once more, is ignored
        self._call = dependant.request_param_name
        self._path: list[Field] = [*dependant.path_params]
        self._query: list[Field] = [*dependant.query_params]
        self._body: list[Field] = [*dependant.body_params]
        self._query_is_one_model = any(map(_is_model, self._query))
        named = {field.alias for field in get_flat_params(dependant)}
        self._query_names = named - {field.alias for field in self._path}

    @property
    def has_body(self) -> bool:
        """Whether the body is read at all."""
        return bool(self._body)

    def read(self, call: Call) -> dict[str, object]:
        """Read every parameter, or say what is wrong with each."""
        reading = _Reading()
        for field in self._path:
            reading.take(field, call.path_params, ("path",))
        query = self._split(call.scope["query_string"])
        if self._query_is_one_model:
            reading.take_whole(self._query[0], query, ("query",))
        else:
            for field in self._query:
                reading.take(field, query, ("query",))
        for field in self._body:
            reading.take_body(field, call)
        if reading.errors:
            raise ValidationFailed(tuple(reading.errors))
        if self._call:
            reading.values[self._call] = call
        return reading.values

    def _split(self, raw: bytes) -> dict[str, str]:
        query: dict[str, str] = {}
        if not raw:
            return query
        for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
            if name in self._query_names and name not in query:
                query[name] = value
            elif self._strict:
                complaint = "given twice" if name in query else "no such parameter"
                raise ValidationFailed.of(("query", name), complaint)
        return query


class _Reading:
    """Values and errors, gathered field by field."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.errors: list[FieldError] = []

    def take(self, field: Field, given: dict[str, str], loc: Loc) -> None:
        if field.alias in given:
            self.take_whole(field, given[field.alias], (*loc, field.alias))
        else:
            self.default(field, (*loc, field.alias))

    def take_whole(self, field: Field, value: object, loc: Loc) -> None:
        self.values[field.name], errors = field.validate(value, loc=loc)
        if errors:
            self.errors.extend(map(_field_error, errors))

    def take_body(self, field: Field, call: Call) -> None:
        if call.has_body:
            self.take_whole(field, call.parsed, ("body",))
        else:
            self.default(field, ("body",))

    def default(self, field: Field, loc: Loc) -> None:
        if field.field_info.is_required():
            self.errors.append(FieldError(loc, "is required"))
        else:
            self.values[field.name] = field.get_default()


def _is_model(field: Field) -> bool:
    annotation = field.field_info.annotation
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def validation_failed(error: ValidationError, loc: Loc) -> ValidationFailed:
    """Translate what pydantic found wrong with a value at `loc`."""
    errors = (_field_error({**each, "loc": (*loc, *each["loc"])}) for each in error.errors())
    return ValidationFailed(tuple(errors))


def _field_error(error: dict[str, object]) -> FieldError:
    loc = cast("Iterable[str | int]", error["loc"])
    places = (part for part in loc if not (isinstance(part, str) and part.startswith(TAG)))
    return FieldError(tuple(places), str(error["msg"]).removeprefix("Value error, "))
