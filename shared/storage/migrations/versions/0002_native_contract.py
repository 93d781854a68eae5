"""The whole native contract: events, schedules, webhooks, rates, and what they hang on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that is there changes its meaning."""
    _new_tables()
    _run_events()
    _new_columns()


def _where(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _new_tables() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=True),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status = 'pending') = (next_at IS NOT NULL)", name=op.f("ck_deliveries_pending_next")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed')", name=op.f("ck_deliveries_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_created", "deliveries", ["created_at", "id"], unique=False)
    _where("ix_deliveries_next", "deliveries", ["next_at"], "next_at IS NOT NULL")
    op.create_index("ix_deliveries_run", "deliveries", ["run_id"], unique=False)
    op.create_index(
        "ix_deliveries_webhook", "deliveries", ["webhook_id", "created_at", "id"], unique=False
    )
    _where("ix_deliveries_session", "deliveries", ["session_id"], "event = 'session.expired'")
    _where("ix_deliveries_target", "deliveries", ["target", "next_at"], "next_at IS NOT NULL")
    _where(
        "ix_deliveries_callbacks",
        "deliveries",
        ["principal_id", "created_at", "id"],
        "webhook_id IS NULL",
    )
    op.create_table(
        "meters",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("arrival_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_meters")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_meters_arrival", "meters", ["arrival_at"], unique=False)
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("missed", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("last_fired_at", sa.BigInteger(), nullable=True),
        sa.Column("last_run_id", sa.Uuid(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("missed IN ('skip', 'once', 'all')", name=op.f("ck_schedules_missed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_index("ix_schedules_created", "schedules", ["created_at", "id"], unique=False)
    _where("ix_schedules_next", "schedules", ["next_at"], "next_at IS NOT NULL")
    op.create_index("ix_schedules_session", "schedules", ["session_id"], unique=False)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("old_until", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(
        "ix_webhooks_principal", "webhooks", ["principal_id", "created_at", "id"], unique=False
    )
    _where("ix_webhooks_owner", "webhooks", ["owner_id"], "disabled_at IS NULL")


def _run_events() -> None:
    """Make it anew: nothing has been written to it yet."""
    op.drop_index("ix_run_events_session", table_name="run_events")
    op.drop_table("run_events")
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_run_events")),
        sqlite_with_rowid=False,
    )
    _where(
        "ix_run_events_deltas", "run_events", ["at"], "type IN ('message.delta', 'reasoning.delta')"
    )


def _new_columns() -> None:
    op.add_column("agents", sa.Column("model", sa.Text(), nullable=True))
    op.add_column("agents", sa.Column("system_prompt", sa.Text(), nullable=True))
    op.add_column("agents", sa.Column("knowledge_bases", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("agents", sa.Column("tools", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("agents", sa.Column("runs_per_minute", sa.Integer(), nullable=True))
    op.add_column("agents", sa.Column("max_steps", sa.Integer(), nullable=True))
    op.add_column("agents", sa.Column("max_tokens", sa.Integer(), nullable=True))
    op.add_column("agents", sa.Column("max_cost", sa.Float(), nullable=True))
    op.add_column("agents", sa.Column("made_by", sa.Text(), server_default="file", nullable=False))
    op.add_column("agents", sa.Column("deleted_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("agents") as agents:
        agents.drop_constraint("uq_agents_name", type_="unique")
    op.create_index(
        "uq_agents_name",
        "agents",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.add_column("idempotency_keys", sa.Column("location", sa.Text(), nullable=True))
    op.add_column("keys", sa.Column("max_running", sa.Integer(), nullable=True))
    op.add_column("keys", sa.Column("old_hash", sa.LargeBinary(), nullable=True))
    op.add_column("keys", sa.Column("old_until", sa.BigInteger(), nullable=True))
    op.create_index(
        "uq_keys_old_hash",
        "keys",
        ["old_hash"],
        unique=True,
        sqlite_where=sa.text("old_hash IS NOT NULL"),
        postgresql_where=sa.text("old_hash IS NOT NULL"),
    )
    op.add_column("principals", sa.Column("callback_secret", sa.Text(), nullable=True))
    op.add_column("principals", sa.Column("old_callback_secret", sa.Text(), nullable=True))
    op.add_column("principals", sa.Column("old_callback_until", sa.BigInteger(), nullable=True))
    op.add_column("run_details", sa.Column("options", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("run_details", sa.Column("callback_url", sa.Text(), nullable=True))
    _where("ix_run_details_callback", "run_details", ["run_id"], "callback_url IS NOT NULL")
    op.add_column("runs", sa.Column("options_hash", sa.LargeBinary(), nullable=True))
    op.add_column(
        "runs", sa.Column("event_count", sa.Integer(), server_default="0", nullable=False)
    )
    _where(
        "ix_runs_deadline", "runs", ["deadline_at"], "status = 'queued' AND deadline_at IS NOT NULL"
    )
    _where(
        "ix_runs_unsuccessful",
        "runs",
        ["status", "stored_at", "id"],
        "status IN ('cancelled', 'failed')",
    )
    op.drop_index("ix_runs_held", table_name="runs")
    _where(
        "ix_runs_held",
        "runs",
        ["pool", "wait_cause", "agent_id", "announce_hold_until"],
        "dispatch = 'ready' AND announce_hold_until IS NOT NULL",
    )
    _where("ix_runs_retry_of", "runs", ["retry_of"], "retry_of IS NOT NULL")
    op.add_column("sessions", sa.Column("continued_from", sa.Uuid(), nullable=True))
    op.add_column(
        "sessions", sa.Column("scheduled_depth", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("sessions", sa.Column("expired_at", sa.BigInteger(), nullable=True))
    _where(
        "ix_sessions_expiring",
        "sessions",
        ["expires_at"],
        "expires_at IS NOT NULL AND expired_at IS NULL",
    )
    _where("ix_workers_live", "workers", ["id"], "lost_at IS NULL")
    _where("ix_workers_lost", "workers", ["lost_at"], "lost_at IS NOT NULL")
    op.add_column("workers", sa.Column("beat_at", sa.BigInteger(), nullable=True))
    op.add_column("workers", sa.Column("run_seconds", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Migrations go forward; a backup goes back."""
    raise NotImplementedError
