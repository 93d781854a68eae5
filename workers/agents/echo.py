"""An agent that answers what it was told: the first run of every installation."""

from shared.domain.message import Reply, plain_text
from workers.agents.base import AgentContext


class EchoAgent:
    """Says the user's text back."""

    async def run(self, ctx: AgentContext) -> Reply:
        """Emit the text, then answer it."""
        text = plain_text(ctx.content)
        ctx.emit(text)
        return Reply(content=text)
