"""What the tests of separate processes stand on."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from shared.dispatch.topology import declarations, queue_name

Apart = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def apart(queues: set[str], namespace: str) -> Apart:
    """Makes settings for processes that share nothing with other tests but the servers."""

    def settings(database: str, broker: str, *pools: str) -> dict[str, Any]:
        space = f"{namespace}.{uuid.uuid4().hex[:8]}"
        for pool in ("default", *pools):
            queues.update(name for name, _ in declarations(queue_name(space, pool)))
        return {"DATABASE_URL": database, "BROKER_URL": broker, "NAMESPACE": space}

    return settings
