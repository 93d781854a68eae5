"""Which of two shapes a client wants: a stream of events, or a page of them."""

from shared.domain.errors import ValidationFailed

_STREAM, _PAGE = "text/event-stream", "application/json"


def wants_stream(accept: str | None, *, polls: bool) -> bool:
    """Read `Accept`; who takes anything gets a stream, unless it asks like a poll.

    Raises ValidationFailed for a stream that asks like a poll.
    """
    weights = dict(map(_weigh, (accept or "*/*").lower().split(",")))
    stream = weights.get(_STREAM, weights.get("text/*", 0.0))
    page = weights.get(_PAGE, weights.get("application/*", 0.0))
    if stream == page:
        return not polls
    if stream > page and polls:
        detail = "goes with `Accept: application/json`; a stream waits and ends by itself"
        raise ValidationFailed.of(("query",), f"`limit`, `wait` or `order` {detail}")
    return stream > page


def _weigh(part: str) -> tuple[str, float]:
    media_type, *parameters = (each.strip() for each in part.split(";"))
    given = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return media_type, float(given)
    except ValueError:
        return media_type, 1.0
