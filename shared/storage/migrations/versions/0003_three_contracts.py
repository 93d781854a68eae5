"""What three more contracts need: warnings, sessions by their agent, a count without tools."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Nothing ever wrote these: a channel is its session, a thought is the reasoning.
_UNUSED = (
    ("sessions", "channel_id"),
    ("sessions", "session_data"),
    ("messages", "thought"),
    ("messages", "actions"),
)


def upgrade() -> None:
    """Add what is new, drop what nothing wrote."""
    op.add_column("sessions", sa.Column("warn_at", sa.BigInteger(), nullable=True))
    where = sa.text("warn_at IS NOT NULL")
    op.create_index(
        "ix_sessions_warning", "sessions", ["warn_at"], sqlite_where=where, postgresql_where=where
    )
    op.add_column(
        "sessions", sa.Column("spoken_count", sa.Integer(), server_default="0", nullable=False)
    )
    op.execute(
        "UPDATE sessions SET spoken_count = (SELECT count(*) FROM messages m WHERE "
        "m.session_id = sessions.id AND m.seq IS NOT NULL AND m.role IN ('user', 'assistant'))"
    )
    # Agents that sessions bring along are found by nobody: their names are free.
    known = sa.text("deleted_at IS NULL AND made_by <> 'configuration'")
    op.drop_index("uq_agents_name", "agents")
    op.create_index(
        "uq_agents_name",
        "agents",
        ["name"],
        unique=True,
        sqlite_where=known,
        postgresql_where=known,
    )
    op.create_index("ix_sessions_agent", "sessions", ["agent_id", "created_at", "id"])
    forgotten = sa.text("origin = 'elizaos' AND ended_at IS NULL AND deleted_at IS NULL")
    op.create_index(
        "ix_sessions_clearable",
        "sessions",
        ["id"],
        sqlite_where=forgotten,
        postgresql_where=forgotten,
    )
    for table, column in _UNUSED:
        op.drop_column(table, column)
    # Sessions that live by a policy are warned as if they had always been.
    op.execute(
        "UPDATE sessions SET warn_at = expires_at - CAST(warning_threshold_minutes * 60000000 AS "
        "BIGINT) WHERE warning_threshold_minutes IS NOT NULL AND expired_at IS NULL"
    )


def downgrade() -> None:
    """Migrations go forward; a backup goes back."""
    raise NotImplementedError
