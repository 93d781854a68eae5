"""What reaches out by itself: messages that recur, and callbacks."""

import sqlalchemy as sa

from shared.storage.schema.base import Column, Index, Table, metadata, partial
from shared.storage.types import InstantColumn, JsonColumn

schedules = Table(
    "schedules",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("session_id", sa.Uuid, nullable=False),
    # who asked for it: its messages come in as theirs
    Column("tenant", sa.Text, nullable=False),
    Column("user_id", sa.Text),
    Column("scope", sa.Text, nullable=False),
    Column("message", JsonColumn, nullable=False),
    Column("correlation_id", sa.Text),
    Column("cron", sa.Text, nullable=False),
    Column("time_zone", sa.Text, nullable=False),
    Column("missed", sa.Text, nullable=False),
    Column("next_at", InstantColumn),  # null while paused
    Column("paused_at", InstantColumn),
    Column("last_fired_at", InstantColumn),
    Column("last_run_id", sa.Uuid),
    Column("last_error", sa.Text),
    Column("created_at", InstantColumn, nullable=False),
    Column("updated_at", InstantColumn, nullable=False),
    sa.CheckConstraint("missed IN ('skip', 'once', 'all')", name="missed"),
    partial("ix_schedules_next", "next_at", where="next_at IS NOT NULL"),
    Index("ix_schedules_session", "session_id"),
    Index("ix_schedules_created", "created_at", "id"),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("principal_id", sa.Uuid, nullable=False),
    # whose sessions it hears of: one user's, or a whole tenant's
    Column("owner_id", sa.Uuid, nullable=False),
    Column("name", sa.Text),
    Column("url", sa.Text, nullable=False),
    Column("events", JsonColumn, nullable=False),
    Column("secret", sa.Text, nullable=False),
    Column("old_secret", sa.Text),
    Column("old_until", InstantColumn),
    Column("disabled_at", InstantColumn),
    Column("created_at", InstantColumn, nullable=False),
    Column("updated_at", InstantColumn, nullable=False),
    Index("ix_webhooks_principal", "principal_id", "created_at", "id"),
    partial("ix_webhooks_owner", "owner_id", where="disabled_at IS NULL"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("webhook_id", sa.Uuid),  # null for a message's own `callback_url`
    Column("principal_id", sa.Uuid, nullable=False),
    Column("run_id", sa.Uuid),
    Column("session_id", sa.Uuid),
    Column("event", sa.Text, nullable=False),
    Column("url", sa.Text, nullable=False),
    Column("target", sa.Text, nullable=False),  # scheme, host and port: each has its turn
    Column("correlation_id", sa.Text),
    Column("body", sa.Text),  # what was sent, the same each time; made before the first try
    Column("status", sa.Text, nullable=False),
    Column("attempts", sa.Integer, nullable=False, server_default="0"),  # since it was asked for
    Column("tries", JsonColumn),  # the log: one object per attempt that ended
    # When it is due, or until when an attempt at it is held; null once delivered or given up.
    Column("next_at", InstantColumn),
    Column("created_at", InstantColumn, nullable=False),
    Column("ended_at", InstantColumn),
    sa.CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
    sa.CheckConstraint("(status = 'pending') = (next_at IS NOT NULL)", name="pending_next"),
    partial("ix_deliveries_next", "next_at", where="next_at IS NOT NULL"),
    partial("ix_deliveries_target", "target", "next_at", where="next_at IS NOT NULL"),
    Index("ix_deliveries_webhook", "webhook_id", "created_at", "id"),
    partial(
        "ix_deliveries_callbacks", "principal_id", "created_at", "id", where="webhook_id IS NULL"
    ),
    Index("ix_deliveries_run", "run_id"),
    partial("ix_deliveries_session", "session_id", where="event = 'session.expired'"),
    Index("ix_deliveries_created", "created_at", "id"),
)
