"""socket.io at `/socket.io/`, for clients of this contract."""

from ingress.dialects.elizaos.sockets.asgi import Sockets

__all__ = ["Sockets"]
