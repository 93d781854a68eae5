"""What Inturn is compared with: FastAPI with this one route and body model, and nothing behind it.

`python -m benchmarks.bare PORT`: one process, uvloop and httptools, no access log.
"""

import sys

import uvicorn
from fastapi import FastAPI

from ingress.dialects.native.wire.message import NewMessage
from tests.services import LOOPBACK

app = FastAPI()


@app.post("/v1/sessions/{session_id}/messages", status_code=202)
async def post_message(session_id: str, body: NewMessage) -> dict[str, str]:
    """Answer at once and keep nothing."""
    return {"session_id": session_id, "correlation_id": body.correlation_id or ""}


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    """Answer."""
    return {}


if __name__ == "__main__":
    uvicorn.run(
        app,
        host=LOOPBACK,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
