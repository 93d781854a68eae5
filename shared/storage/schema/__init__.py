"""The tables. Constraints assert the invariants; no verb relies on them for control flow."""

from shared.storage.schema.base import metadata, one_of
from shared.storage.schema.conversations import messages, sessions
from shared.storage.schema.outside import deliveries, schedules, webhooks
from shared.storage.schema.registry import (
    agents,
    idempotency_keys,
    keys,
    meters,
    pools,
    principals,
    workers,
)
from shared.storage.schema.runs import attempts, run_details, run_events, run_inputs, runs

__all__ = [
    "agents",
    "attempts",
    "deliveries",
    "idempotency_keys",
    "keys",
    "messages",
    "metadata",
    "meters",
    "one_of",
    "pools",
    "principals",
    "run_details",
    "run_events",
    "run_inputs",
    "runs",
    "schedules",
    "sessions",
    "webhooks",
    "workers",
]
