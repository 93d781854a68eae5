"""What an agent of one's own is written with: `from inturn.agents import Reply`."""

from shared.domain.message import Reply, ToolCall
from workers.agents.base import AgentContext, Defer, NonRetryable

__all__ = ["AgentContext", "Defer", "NonRetryable", "Reply", "ToolCall"]
