"""Runs, narrow, and what lives beside them."""

import sqlalchemy as sa

from shared.domain.run import LIVE, TERMINAL, Dispatch, RunStatus
from shared.storage.schema.base import HOT, Column, Index, Table, metadata, one_of, partial
from shared.storage.types import InstantColumn, JsonColumn

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
    Column("options_hash", sa.LargeBinary),  # of a run that others may join: `coalesce`
    Column("event_count", sa.Integer, nullable=False, server_default="0"),
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
    partial("uq_runs_live", "session_id", where=_LIVE, unique=True),
    # Whole, so that a session's runs are listed and removed by it; nulls are distinct.
    Index("uq_runs_seq", "session_id", "seq", unique=True),
    partial("ix_runs_line", "session_id", "seq", where="settled_at IS NULL"),
    partial(
        "ix_runs_ready",
        "pool",
        "principal_id",
        sa.text("priority DESC"),
        "ready_at",
        where="dispatch = 'ready'",
    ),
    partial(
        "ix_runs_held",
        "pool",
        "wait_cause",
        "agent_id",
        "announce_hold_until",
        where="dispatch = 'ready' AND announce_hold_until IS NOT NULL",
    ),
    partial("ix_runs_announced", "pool", "announced_at", where="dispatch = 'announced'"),
    partial("ix_runs_scheduled", "available_at", where="dispatch = 'scheduled'"),
    partial("ix_runs_queued", "principal_id", where="status = 'queued'"),
    partial("ix_runs_running", "worker_id", where="status = 'running'"),
    partial("ix_runs_running_pool", "pool", "principal_id", where="status = 'running'"),
    partial("ix_runs_waiting", "available_at", where="status = 'waiting'"),
    partial(
        "ix_runs_deadline",
        "deadline_at",
        where="status = 'queued' AND deadline_at IS NOT NULL",
    ),
    Index("ix_runs_stored", "stored_at", "id"),
    # Few, and what an operator looks for after an outage.
    partial(
        "ix_runs_unsuccessful",
        "status",
        "stored_at",
        "id",
        where="status IN ('cancelled', 'failed')",
    ),
    partial("ix_runs_retry_of", "retry_of", where="retry_of IS NOT NULL"),
    **HOT,
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
    Column("options", JsonColumn),  # reasoning and knowledge bases that were asked for
    Column("callback_url", sa.Text),
    partial("ix_run_details_callback", "run_id", where="callback_url IS NOT NULL"),
)

run_inputs = Table(
    "run_inputs",
    metadata,
    Column("run_id", sa.Uuid, sa.ForeignKey("runs.id"), primary_key=True),
    # No foreign key: whoever removes a message would look for it in every row here.
    Column("message_id", sa.Uuid, primary_key=True),
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

# No foreign key: who writes holds the run's row. Session and place are the run's.
run_events = Table(
    "run_events",
    metadata,
    Column("run_id", sa.Uuid, primary_key=True),
    Column("number", sa.Integer, primary_key=True),
    Column("type", sa.Text, nullable=False),
    Column("data", JsonColumn, nullable=False),
    Column("at", InstantColumn, nullable=False),
    partial(
        "ix_run_events_deltas",
        "at",
        where="type IN ('message.delta', 'reasoning.delta')",
    ),
    sqlite_with_rowid=False,
)
