"""Sessions and what was said in them."""

import sqlalchemy as sa

from shared.storage.schema.base import HOT, Column, Index, Table, metadata, partial
from shared.storage.types import InstantColumn, JsonColumn

sessions = Table(
    "sessions",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("tenant", sa.Text, nullable=False),
    Column("user_id", sa.Text),
    Column("agent_id", sa.Uuid, nullable=False),
    Column("origin", sa.Text, nullable=False),
    Column("metadata", JsonColumn, nullable=False),
    Column("config", JsonColumn),
    Column("config_hash", sa.Text),
    Column("state", JsonColumn),
    Column("state_version", sa.BigInteger, nullable=False, server_default="0"),
    Column("correlation_id", sa.Text),
    Column("continued_from", sa.Uuid),
    # the line, and what the status body shows of it
    Column("version", sa.BigInteger, nullable=False, server_default="1"),
    Column("last_seq", sa.BigInteger, nullable=False, server_default="0"),
    Column("last_message_at", InstantColumn, nullable=False),
    Column("queue_depth", sa.Integer, nullable=False, server_default="0"),
    Column("scheduled_depth", sa.Integer, nullable=False, server_default="0"),  # not yet in line
    Column("message_count", sa.Integer, nullable=False, server_default="0"),
    Column("spoken_count", sa.Integer, nullable=False, server_default="0"),  # of these, no tool's
    Column("active_run_id", sa.Uuid),
    Column("active_run_status", sa.Text),
    Column("last_run_id", sa.Uuid),
    Column("last_run_status", sa.Text),
    Column("last_run_error", JsonColumn),
    # expiry: null is no policy
    Column("timeout_minutes", sa.Float),
    Column("auto_renew", sa.Boolean),
    Column("max_duration_minutes", sa.Float),
    Column("warning_threshold_minutes", sa.Float),
    Column("expires_at", InstantColumn),
    Column("renewal_count", sa.Integer, nullable=False, server_default="0"),
    Column("warn_at", InstantColumn),  # null once that is done
    Column("warned_at", InstantColumn),
    Column("expired_at", InstantColumn),
    Column("created_at", InstantColumn, nullable=False),
    Column("updated_at", InstantColumn, nullable=False),
    Column("last_activity_at", InstantColumn, nullable=False),
    Column("ended_at", InstantColumn),
    Column("deleted_at", InstantColumn),
    sa.CheckConstraint("queue_depth >= 0", name="depth"),
    sa.CheckConstraint("(active_run_id IS NULL) = (active_run_status IS NULL)", name="active"),
    Index("ix_sessions_owner", "tenant", "user_id", "created_at", "id"),
    Index("ix_sessions_created", "created_at", "id"),
    Index("ix_sessions_agent", "agent_id", "created_at", "id"),
    partial(
        "ix_sessions_expiring",
        "expires_at",
        where="expires_at IS NOT NULL AND expired_at IS NULL",
    ),
    partial("ix_sessions_warning", "warn_at", where="warn_at IS NOT NULL"),
    partial(
        "ix_sessions_clearable",
        "id",
        where="origin = 'elizaos' AND ended_at IS NULL AND deleted_at IS NULL",
    ),
    partial("ix_sessions_deleted", "deleted_at", where="deleted_at IS NOT NULL"),
    **HOT,
)

messages = Table(
    "messages",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("session_id", sa.Uuid, sa.ForeignKey("sessions.id"), nullable=False),
    Column("seq", sa.BigInteger),  # null until a scheduled run comes due
    Column("turn_seq", sa.BigInteger),  # runs.seq of its turn: the order of the context
    Column("run_id", sa.Uuid),
    Column("role", sa.Text, nullable=False),
    Column("content", JsonColumn, nullable=False),
    Column("author_id", sa.Text),
    Column("attachments", JsonColumn),
    Column("metadata", JsonColumn),
    Column("correlation_id", sa.Text),
    Column("tool", JsonColumn),
    Column("citations", JsonColumn),
    Column("reasoning", sa.Text),
    Column("interrupted", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("created_at", InstantColumn, nullable=False),
    partial("uq_messages_seq", "session_id", "seq", where="seq IS NOT NULL", unique=True),
    Index("ix_messages_turn", "session_id", "turn_seq", "seq"),
    Index("ix_messages_created", "created_at", "id"),
    partial(
        "ix_messages_correlation",
        "correlation_id",
        "created_at",
        where="correlation_id IS NOT NULL",
    ),
    sa.CheckConstraint("role IN ('user', 'assistant', 'tool', 'system')", name="role"),
)
