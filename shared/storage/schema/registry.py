"""Who performs, who serves, who may ask."""

import sqlalchemy as sa

from shared.storage.schema.base import HOT, Column, Index, Table, metadata
from shared.storage.types import InstantColumn, JsonColumn

agents = Table(
    "agents",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("name", sa.Text, nullable=False, unique=True),
    Column("kind", sa.Text, nullable=False),
    Column("pool", sa.Text, nullable=False),
    Column("callable", sa.Text),
    Column("settings", JsonColumn, nullable=False),
    Column("max_running", sa.Integer),
    Column("run_timeout_seconds", sa.Float),
    Column("max_attempts", sa.Integer, nullable=False),
    Column("base_seconds", sa.Float, nullable=False),
    Column("max_seconds", sa.Float, nullable=False),
    Column("created_at", InstantColumn, nullable=False),
    Column("updated_at", InstantColumn, nullable=False),
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
    Column("started_at", InstantColumn, nullable=False),
    Column("lost_at", InstantColumn),
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
    Column("created_at", InstantColumn, nullable=False),
    Column("expires_at", InstantColumn),
    Column("last_used_at", InstantColumn),
    Column("revoked_at", InstantColumn),
    sa.CheckConstraint("scope <> 'user' OR user_id IS NOT NULL", name="user"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("principal_id", sa.Uuid, primary_key=True),
    Column("key", sa.Text, primary_key=True),
    Column("body_hash", sa.LargeBinary, nullable=False),
    Column("status", sa.Integer),
    Column("response", sa.Text),
    Column("run_id", sa.Uuid),
    Column("created_at", InstantColumn, nullable=False),
    Index("ix_idempotency_keys_created", "created_at"),
)
