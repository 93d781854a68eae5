"""What the supervisor tells each of its children, through the environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from shared.domain.agent import DEFAULT_POOL

# Not one of the settings: it comes from the parent, never from a person.
VARIABLE = "_INTURN_CHILD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """Which of the children this is, whom it serves, and its end of the lifeline."""

    number: int = 0
    pools: tuple[str, ...] = (DEFAULT_POOL,)
    lifeline: int | None = None

    def environment(self) -> dict[str, str]:
        """Return the variable that carries this."""
        return {VARIABLE: json.dumps(asdict(self))}


def read_child(environment: Mapping[str, str] = os.environ) -> Child:
    """Read what the parent said; alone, a process is the first child and serves one pool."""
    said = json.loads(environment.get(VARIABLE, "{}"))
    if "pools" in said:
        said["pools"] = tuple(said["pools"])
    return Child(**said)
