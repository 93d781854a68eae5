"""Browsers on other origins: who may ask, what they may send, and what they may read."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from shared.settings import Settings

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
SENT = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "X-API-Key",
    "X-Correlation-ID",
    "apikey",  # Powabase's clients send it; nobody reads it
)
READ = (
    "Allow",
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "Poll-After",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Correlation-ID",
)
ANY = "*"
_REMEMBERED_SECONDS = 600


def with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Let browsers of these origins in; where none is named, nothing is looked at."""
    origins = settings.cors_origins
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=SENT,
        allow_credentials=ANY not in origins,
        expose_headers=READ,
        max_age=_REMEMBERED_SECONDS,
    )
