"""A turn: what was asked, the run that answers it, and what that run left behind."""

from dataclasses import dataclass

from shared.domain.jsontypes import JsonObject
from shared.domain.message import Message
from shared.domain.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """`run.output` is the answer; `tools` are its tool messages, in the order of the calls.

    `context` are the chunks fetched for the run as they were stored, admitted or not.
    """

    run: Run
    inputs: tuple[Message, ...]
    tools: tuple[Message, ...] = ()
    context: tuple[JsonObject, ...] = ()
