"""Everything from the first day: each column is cheap now and a rewrite later."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "agents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("callable", sa.Text(), nullable=True),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("max_running", sa.Integer(), nullable=True),
        sa.Column("run_timeout_seconds", sa.Float(), nullable=True),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("base_seconds", sa.Float(), nullable=False),
        sa.Column("max_seconds", sa.Float(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("name", name=op.f("uq_agents_name")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("rate_limit", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("scope <> 'user' OR user_id IS NOT NULL", name=op.f("ck_keys_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_keys_hash")),
    )
    op.create_table(
        "pools",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("max_running", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pools")),
    )
    op.create_table(
        "principals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("max_running", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_principals")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("session_data", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("config", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("config_hash", sa.Text(), nullable=True),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("state_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_message_at", sa.BigInteger(), nullable=False),
        sa.Column("queue_depth", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("active_run_id", sa.Uuid(), nullable=True),
        sa.Column("active_run_status", sa.Text(), nullable=True),
        sa.Column("last_run_id", sa.Uuid(), nullable=True),
        sa.Column("last_run_status", sa.Text(), nullable=True),
        sa.Column("last_run_error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("timeout_minutes", sa.Float(), nullable=True),
        sa.Column("auto_renew", sa.Boolean(), nullable=True),
        sa.Column("max_duration_minutes", sa.Float(), nullable=True),
        sa.Column("warning_threshold_minutes", sa.Float(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("renewal_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("last_activity_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(active_run_id IS NULL) = (active_run_status IS NULL)", name=op.f("ck_sessions_active")
        ),
        sa.CheckConstraint("queue_depth >= 0", name=op.f("ck_sessions_depth")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_sessions_created", "sessions", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_sessions_deleted",
        "sessions",
        ["deleted_at"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_sessions_owner", "sessions", ["tenant", "user_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pools", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("free_slots", sa.Integer(), nullable=False),
        sa.Column("beat", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("lost_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("turn_seq", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=True),
        sa.Column("thought", sa.Text(), nullable=True),
        sa.Column("actions", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("attachments", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("tool", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("citations", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reasoning", sa.Text(), nullable=True),
        sa.Column("interrupted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "role IN ('user', 'assistant', 'tool', 'system')", name=op.f("ck_messages_role")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_messages_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(
        "ix_messages_correlation",
        "messages",
        ["correlation_id", "created_at"],
        unique=False,
        sqlite_where=sa.text("correlation_id IS NOT NULL"),
        postgresql_where=sa.text("correlation_id IS NOT NULL"),
    )
    op.create_index("ix_messages_created", "messages", ["created_at", "id"], unique=False)
    op.create_index("ix_messages_turn", "messages", ["session_id", "turn_seq", "seq"], unique=False)
    op.create_index(
        "uq_messages_seq",
        "messages",
        ["session_id", "seq"],
        unique=True,
        sqlite_where=sa.text("seq IS NOT NULL"),
        postgresql_where=sa.text("seq IS NOT NULL"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("dispatch", sa.Text(), nullable=True),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("retry_of", sa.Uuid(), nullable=True),
        sa.Column("on_busy", sa.Text(), server_default="enqueue", nullable=False),
        sa.Column("in_context", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("ready_at", sa.BigInteger(), nullable=True),
        sa.Column("available_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=True),
        sa.Column("announce_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("announce_hold_until", sa.BigInteger(), nullable=True),
        sa.Column("wait_cause", sa.Text(), nullable=True),
        sa.Column("wait_detail", sa.Text(), nullable=True),
        sa.Column("wait_since", sa.BigInteger(), nullable=True),
        sa.Column("cancel_requested_at", sa.BigInteger(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("cancel_by", sa.Text(), nullable=True),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.Column("announced_at", sa.BigInteger(), nullable=True),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("first_token_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("output_message_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(status = 'queued') = (dispatch IS NOT NULL)", name=op.f("ck_runs_queued_dispatch")
        ),
        sa.CheckConstraint(
            "(status = 'running') = (worker_id IS NOT NULL)", name=op.f("ck_runs_running_worker")
        ),
        sa.CheckConstraint(
            "(status IN ('cancelled', 'failed', 'succeeded')) = (settled_at IS NOT NULL)",
            name=op.f("ck_runs_terminal_settled"),
        ),
        sa.CheckConstraint(
            "dispatch IS NULL OR dispatch IN ('announced', 'blocked', 'ready', 'scheduled')",
            name=op.f("ck_runs_dispatch"),
        ),
        sa.CheckConstraint(
            "seq IS NOT NULL OR dispatch = 'scheduled' OR settled_at IS NOT NULL",
            name=op.f("ck_runs_seq"),
        ),
        sa.CheckConstraint(
            "status <> 'succeeded' OR output_message_id IS NOT NULL",
            name=op.f("ck_runs_succeeded_output"),
        ),
        sa.CheckConstraint(
            "status IN ('cancelled', 'failed', 'queued', 'running', 'succeeded', 'waiting')",
            name=op.f("ck_runs_status"),
        ),
        sa.CheckConstraint(
            "attempt >= 0 AND fence >= 0 AND losses >= 0", name=op.f("ck_runs_counters")
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_runs_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_runs_announced",
        "runs",
        ["pool", "announced_at"],
        unique=False,
        sqlite_where=sa.text("dispatch = 'announced'"),
        postgresql_where=sa.text("dispatch = 'announced'"),
    )
    op.create_index(
        "ix_runs_held",
        "runs",
        ["pool", "announce_hold_until"],
        unique=False,
        sqlite_where=sa.text("dispatch = 'ready' AND announce_hold_until IS NOT NULL"),
        postgresql_where=sa.text("dispatch = 'ready' AND announce_hold_until IS NOT NULL"),
    )
    op.create_index(
        "ix_runs_line",
        "runs",
        ["session_id", "seq"],
        unique=False,
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_index(
        "ix_runs_queued",
        "runs",
        ["principal_id"],
        unique=False,
        sqlite_where=sa.text("status = 'queued'"),
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_runs_ready",
        "runs",
        ["pool", "principal_id", sa.literal_column("priority DESC"), "ready_at"],
        unique=False,
        sqlite_where=sa.text("dispatch = 'ready'"),
        postgresql_where=sa.text("dispatch = 'ready'"),
    )
    op.create_index(
        "ix_runs_running",
        "runs",
        ["worker_id"],
        unique=False,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_runs_running_pool",
        "runs",
        ["pool", "principal_id"],
        unique=False,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_runs_scheduled",
        "runs",
        ["available_at"],
        unique=False,
        sqlite_where=sa.text("dispatch = 'scheduled'"),
        postgresql_where=sa.text("dispatch = 'scheduled'"),
    )
    op.create_index("ix_runs_stored", "runs", ["stored_at", "id"], unique=False)
    op.create_index(
        "ix_runs_waiting",
        "runs",
        ["available_at"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "uq_runs_live",
        "runs",
        ["session_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('running', 'waiting')"),
        postgresql_where=sa.text("status IN ('running', 'waiting')"),
    )
    op.create_index("uq_runs_seq", "runs", ["session_id", "seq"], unique=True)
    op.create_table(
        "attempts",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_attempts_run_id")),
        sa.PrimaryKeyConstraint("run_id", "fence", name=op.f("pk_attempts")),
    )
    op.create_table(
        "run_details",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("inputs", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("usage", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reasoning", sa.Text(), nullable=True),
        sa.Column("approvals", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("retrieved_context", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_details_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_details")),
    )
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("run_seq", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_events_run_id")),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_run_events")),
    )
    op.create_index(
        "ix_run_events_session", "run_events", ["session_id", "run_seq", "number"], unique=False
    )
    op.create_table(
        "run_inputs",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_inputs_run_id")),
        sa.PrimaryKeyConstraint("run_id", "message_id", name=op.f("pk_run_inputs")),
    )


def downgrade() -> None:
    """Drop every table."""
    op.drop_table("run_inputs")
    op.drop_index("ix_run_events_session", table_name="run_events")
    op.drop_table("run_events")
    op.drop_table("run_details")
    op.drop_table("attempts")
    op.drop_index(
        "uq_runs_seq",
        table_name="runs",
        sqlite_where=sa.text("seq IS NOT NULL"),
        postgresql_where=sa.text("seq IS NOT NULL"),
    )
    op.drop_index(
        "uq_runs_live",
        table_name="runs",
        sqlite_where=sa.text("status IN ('running', 'waiting')"),
        postgresql_where=sa.text("status IN ('running', 'waiting')"),
    )
    op.drop_index(
        "ix_runs_waiting",
        table_name="runs",
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.drop_index("ix_runs_stored", table_name="runs")
    op.drop_index(
        "ix_runs_scheduled",
        table_name="runs",
        sqlite_where=sa.text("dispatch = 'scheduled'"),
        postgresql_where=sa.text("dispatch = 'scheduled'"),
    )
    op.drop_index(
        "ix_runs_running_pool",
        table_name="runs",
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.drop_index(
        "ix_runs_running",
        table_name="runs",
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.drop_index(
        "ix_runs_ready",
        table_name="runs",
        sqlite_where=sa.text("dispatch = 'ready'"),
        postgresql_where=sa.text("dispatch = 'ready'"),
    )
    op.drop_index(
        "ix_runs_queued",
        table_name="runs",
        sqlite_where=sa.text("status = 'queued'"),
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.drop_index(
        "ix_runs_line",
        table_name="runs",
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.drop_index(
        "ix_runs_held",
        table_name="runs",
        sqlite_where=sa.text("dispatch = 'ready' AND announce_hold_until IS NOT NULL"),
        postgresql_where=sa.text("dispatch = 'ready' AND announce_hold_until IS NOT NULL"),
    )
    op.drop_index(
        "ix_runs_announced",
        table_name="runs",
        sqlite_where=sa.text("dispatch = 'announced'"),
        postgresql_where=sa.text("dispatch = 'announced'"),
    )
    op.drop_table("runs")
    op.drop_index(
        "uq_messages_seq",
        table_name="messages",
        sqlite_where=sa.text("seq IS NOT NULL"),
        postgresql_where=sa.text("seq IS NOT NULL"),
    )
    op.drop_index("ix_messages_turn", table_name="messages")
    op.drop_index("ix_messages_created", table_name="messages")
    op.drop_index(
        "ix_messages_correlation",
        table_name="messages",
        sqlite_where=sa.text("correlation_id IS NOT NULL"),
        postgresql_where=sa.text("correlation_id IS NOT NULL"),
    )
    op.drop_table("messages")
    op.drop_table("workers")
    op.drop_index("ix_sessions_owner", table_name="sessions")
    op.drop_index(
        "ix_sessions_deleted",
        table_name="sessions",
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.drop_index("ix_sessions_created", table_name="sessions")
    op.drop_table("sessions")
    op.drop_table("principals")
    op.drop_table("pools")
    op.drop_table("keys")
    op.drop_index("ix_idempotency_keys_created", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("agents")
