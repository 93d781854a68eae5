"""The tables. Constraints assert the invariants; no verb relies on them for control flow."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from shared.domain.run import LIVE, TERMINAL, Dispatch, RunStatus
from shared.storage.types import InstantColumn, JsonColumn

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Column, Index, Table = sa.Column, sa.Index, sa.Table


def one_of(column: str, values: Iterable[str]) -> str:
    """Spell a SQL membership test over the words of an enum."""
    words = ", ".join(f"'{word}'" for word in sorted(values))
    return f"{column} IN ({words})"


def _partial(
    name: str, *columns: str | sa.TextClause, where: str, unique: bool = False
) -> sa.Index:
    condition = sa.text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


# Rows that are updated in place keep room for it on their page.
_HOT: dict[str, Any] = {"postgresql_with": {"fillfactor": "70"}}

sessions = Table(
    "sessions",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("tenant", sa.Text, nullable=False),
    Column("user_id", sa.Text),
    Column("agent_id", sa.Uuid, nullable=False),
    Column("channel_id", sa.Uuid),
    Column("origin", sa.Text, nullable=False),
    Column("metadata", JsonColumn, nullable=False),
    Column("session_data", JsonColumn),
    Column("config", JsonColumn),
    Column("config_hash", sa.Text),
    Column("state", JsonColumn),
    Column("state_version", sa.BigInteger, nullable=False, server_default="0"),
    Column("correlation_id", sa.Text),
    # the line, and what the status body shows of it
    Column("version", sa.BigInteger, nullable=False, server_default="1"),
    Column("last_seq", sa.BigInteger, nullable=False, server_default="0"),
    Column("last_message_at", InstantColumn, nullable=False),
    Column("queue_depth", sa.Integer, nullable=False, server_default="0"),
    Column("message_count", sa.Integer, nullable=False, server_default="0"),
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
    Column("warned_at", InstantColumn),
    Column("created_at", InstantColumn, nullable=False),
    Column("updated_at", InstantColumn, nullable=False),
    Column("last_activity_at", InstantColumn, nullable=False),
    Column("ended_at", InstantColumn),
    Column("deleted_at", InstantColumn),
    sa.CheckConstraint("queue_depth >= 0", name="depth"),
    sa.CheckConstraint("(active_run_id IS NULL) = (active_run_status IS NULL)", name="active"),
    Index("ix_sessions_owner", "tenant", "user_id", "created_at", "id"),
    Index("ix_sessions_created", "created_at", "id"),
    _partial("ix_sessions_deleted", "deleted_at", where="deleted_at IS NOT NULL"),
    **_HOT,
)

_TERMINAL = one_of("status", TERMINAL)
_LIVE = one_of("status", LIVE)

runs = Table(
    "runs",
    metadata,
    Column("id", sa.Uuid, primary_key=True),
    Column("session_id", sa.Uuid, sa.ForeignKey("sessions.id"), nullable=False),
    Column("seq", sa.BigInteger),  # null until a scheduled run comes due
    Column("status", sa.Text, nullable=False),
    Column("dispatch", sa.Text),
    Column("principal_id", sa.Uuid, nullable=False),
    Column("agent_id", sa.Uuid, nullable=False),
    Column("pool", sa.Text, nullable=False),
    Column("priority", sa.SmallInteger, nullable=False, server_default="0"),
    Column("origin", sa.Text, nullable=False),
    Column("correlation_id", sa.Text, nullable=False),
    Column("retry_of", sa.Uuid),
    Column("on_busy", sa.Text, nullable=False, server_default="enqueue"),
    Column("in_context", sa.Boolean, nullable=False, server_default=sa.true()),
    # the claim
    Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    Column("attempt", sa.Integer, nullable=False, server_default="0"),
    Column("max_attempts", sa.Integer, nullable=False),
    Column("losses", sa.Integer, nullable=False, server_default="0"),
    Column("worker_id", sa.Uuid),
    # the way to a worker
    Column("ready_at", InstantColumn),
    Column("available_at", InstantColumn),
    Column("deadline_at", InstantColumn),
    Column("announce_count", sa.Integer, nullable=False, server_default="0"),
    Column("announce_hold_until", InstantColumn),
    Column("wait_cause", sa.Text),
    Column("wait_detail", sa.Text),
    Column("wait_since", InstantColumn),  # first deferral of the present series
    # cancel is a flag
    Column("cancel_requested_at", InstantColumn),
    Column("cancel_reason", sa.Text),
    Column("cancel_by", sa.Text),
    # receipts
    Column("stored_at", InstantColumn, nullable=False),
    Column("announced_at", InstantColumn),
    Column("claimed_at", InstantColumn),
    Column("first_token_at", InstantColumn),
    Column("settled_at", InstantColumn),
    Column("output_message_id", sa.Uuid),
    sa.CheckConstraint(one_of("status", RunStatus), name="status"),
    sa.CheckConstraint(f"dispatch IS NULL OR {one_of('dispatch', Dispatch)}", name="dispatch"),
    sa.CheckConstraint("(status = 'queued') = (dispatch IS NOT NULL)", name="queued_dispatch"),
    sa.CheckConstraint(f"({_TERMINAL}) = (settled_at IS NOT NULL)", name="terminal_settled"),
    sa.CheckConstraint("(status = 'running') = (worker_id IS NOT NULL)", name="running_worker"),
    sa.CheckConstraint(
        "status <> 'succeeded' OR output_message_id IS NOT NULL", name="succeeded_output"
    ),
    sa.CheckConstraint(
        "seq IS NOT NULL OR dispatch = 'scheduled' OR settled_at IS NOT NULL", name="seq"
    ),
    sa.CheckConstraint("attempt >= 0 AND fence >= 0 AND losses >= 0", name="counters"),
    _partial("uq_runs_live", "session_id", where=_LIVE, unique=True),
    _partial("uq_runs_seq", "session_id", "seq", where="seq IS NOT NULL", unique=True),
    _partial("ix_runs_line", "session_id", "seq", where="settled_at IS NULL"),
    _partial(
        "ix_runs_ready",
        "pool",
        "principal_id",
        sa.text("priority DESC"),
        "ready_at",
        where="dispatch = 'ready'",
    ),
    _partial(
        "ix_runs_held",
        "pool",
        "announce_hold_until",
        where="dispatch = 'ready' AND announce_hold_until IS NOT NULL",
    ),
    _partial("ix_runs_announced", "pool", "announced_at", where="dispatch = 'announced'"),
    _partial("ix_runs_scheduled", "available_at", where="dispatch = 'scheduled'"),
    _partial("ix_runs_queued", "principal_id", where="status = 'queued'"),
    _partial("ix_runs_running", "worker_id", where="status = 'running'"),
    _partial("ix_runs_running_pool", "pool", "principal_id", where="status = 'running'"),
    _partial("ix_runs_waiting", "available_at", where="status = 'waiting'"),
    Index("ix_runs_stored", "stored_at", "id"),
    **_HOT,
)

run_details = Table(
    "run_details",
    metadata,
    Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), primary_key=True),
    Column("inputs", JsonColumn),
    Column("error", JsonColumn),
    Column("usage", JsonColumn),
    Column("reasoning", sa.Text),
    Column("approvals", JsonColumn),
    Column("retrieved_context", JsonColumn),
)

run_inputs = Table(
    "run_inputs",
    metadata,
    Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), primary_key=True),
    Column("message_id", sa.Uuid, sa.ForeignKey("messages.id"), primary_key=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), primary_key=True),
    Column("fence", sa.BigInteger, primary_key=True),
    Column("number", sa.Integer, nullable=False),
    Column("worker_id", sa.Uuid),
    Column("claimed_at", InstantColumn, nullable=False),
    Column("ended_at", InstantColumn, nullable=False),
    Column("outcome", sa.Text, nullable=False),
    Column("error", JsonColumn),
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
    Column("thought", sa.Text),
    Column("actions", JsonColumn),
    Column("attachments", JsonColumn),
    Column("metadata", JsonColumn),
    Column("correlation_id", sa.Text),
    Column("tool", JsonColumn),
    Column("citations", JsonColumn),
    Column("reasoning", sa.Text),
    Column("interrupted", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("created_at", InstantColumn, nullable=False),
    _partial("uq_messages_seq", "session_id", "seq", where="seq IS NOT NULL", unique=True),
    Index("ix_messages_turn", "session_id", "turn_seq", "seq"),
    Index("ix_messages_created", "created_at", "id"),
    _partial(
        "ix_messages_correlation",
        "correlation_id",
        "created_at",
        where="correlation_id IS NOT NULL",
    ),
    sa.CheckConstraint("role IN ('user', 'assistant', 'tool', 'system')", name="role"),
)

run_events = Table(
    "run_events",
    metadata,
    Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), primary_key=True),
    Column("number", sa.Integer, primary_key=True),
    Column("session_id", sa.Uuid, nullable=False),
    Column("run_seq", sa.BigInteger, nullable=False),
    Column("type", sa.Text, nullable=False),
    Column("data", JsonColumn, nullable=False),
    Column("at", InstantColumn, nullable=False),
    Index("ix_run_events_session", "session_id", "run_seq", "number"),
)

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
    **_HOT,
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
