"""Who performs, who serves, who may ask."""

import sqlalchemy as sa

from shared.storage.schema.base import HOT, Column, Index, Table, metadata, partial
from shared.storage.types import InstantColumn, JsonColumn

# Agents that can be found: neither deleted nor brought along by a session.
KNOWN = "deleted_at IS NULL AND made_by <> 'configuration'"

agents = Table(
    "agents",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("name", sa.Text, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("pool", sa.Text, nullable=False),
    Column("callable", sa.Text),
    Column("model", sa.Text),
    Column("system_prompt", sa.Text),
    Column("settings", JsonColumn, nullable=False),
    Column("knowledge_bases", JsonColumn),
    Column("tools", JsonColumn),
    Column("max_running", sa.Integer),
    Column("runs_per_minute", sa.Integer),
    Column("run_timeout_seconds", sa.Float),
    Column("max_steps", sa.Integer),
    Column("max_tokens", sa.Integer),
    Column("max_cost", sa.Float),
    Column("max_attempts", sa.Integer, nullable=False),
    Column("base_seconds", sa.Float, nullable=False),
    Column("max_seconds", sa.Float, nullable=False),
    Column("made_by", sa.Text, nullable=False, server_default="file"),  # `api`, `configuration`
    Column("created_at", InstantColumn, nullable=False),
    Column("updated_at", InstantColumn, nullable=False),
    Column("deleted_at", InstantColumn),
    partial("uq_agents_name", "name", where=KNOWN, unique=True),
)

pools = Table(
    "pools",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("paused_at", InstantColumn),
    Column("max_running", sa.Integer),
)

principals = Table(
    "principals",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("max_running", sa.Integer),
    Column("callback_secret", sa.Text),  # signs what goes to a message's own `callback_url`
    Column("old_callback_secret", sa.Text),
    Column("old_callback_until", InstantColumn),
)

workers = Table(
    "workers",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("name", sa.Text, nullable=False),
    Column("pools", JsonColumn, nullable=False),
    Column("slots", sa.Integer, nullable=False),
    Column("free_slots", sa.Integer, nullable=False),
    Column("beat", sa.BigInteger, nullable=False, server_default="0"),
    Column("beat_at", InstantColumn),  # for humans: leases compare beats, never clocks
    Column("run_seconds", JsonColumn),  # pool: how long its runs took here, lately
    Column("started_at", InstantColumn, nullable=False),
    Column("lost_at", InstantColumn),
    # The living are few and asked for all the time, those that left are many.
    partial("ix_workers_live", "id", where="lost_at IS NULL"),
    partial("ix_workers_lost", "lost_at", where="lost_at IS NOT NULL"),
    **HOT,
)

keys = Table(
    "keys",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("name", sa.Text, nullable=False),
    Column("prefix", sa.Text, nullable=False),
    Column("hash", sa.LargeBinary, nullable=False, unique=True),
    Column("scope", sa.Text, nullable=False),
    Column("tenant", sa.Text, nullable=False),
    Column("user_id", sa.Text),
    Column("rate_limit", sa.Text),
    Column("max_running", sa.Integer),
    Column("old_hash", sa.LargeBinary),  # of the secret before the last rotation, and
    Column("old_until", InstantColumn),  # how long it still passes
    Column("created_at", InstantColumn, nullable=False),
    Column("expires_at", InstantColumn),
    Column("last_used_at", InstantColumn),
    Column("revoked_at", InstantColumn),
    sa.CheckConstraint("scope <> 'user' OR user_id IS NOT NULL", name="user"),
    partial("uq_keys_old_hash", "old_hash", where="old_hash IS NOT NULL", unique=True),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("principal_id", sa.Uuid, primary_key=True),
    Column("key", sa.Text, primary_key=True),
    Column("body_hash", sa.LargeBinary, nullable=False),
    Column("status", sa.Integer),
    Column("response", sa.Text),
    Column("location", sa.Text),
    Column("run_id", sa.Uuid),
    Column("created_at", InstantColumn, nullable=False),
    Index("ix_idempotency_keys_created", "created_at"),
)

# One row for whatever has a rate: the theoretical arrival time of GCRA, in microseconds.
meters = Table(
    "meters",
    metadata,
    Column("subject", sa.Text, primary_key=True),
    Column("arrival_at", InstantColumn, nullable=False),
    Index("ix_meters_arrival", "arrival_at"),
    **HOT,
)
