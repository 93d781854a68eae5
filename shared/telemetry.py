"""What a process says about itself: log lines on stderr and Prometheus metrics.

Labels carry no ids: `/metrics` needs no credential.
"""

import logging
import sys

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from structlog.typing import Processor

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LONG = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 150, 200, 500, 1000)

REQUESTS = Counter(
    "inturn_requests",
    "HTTP requests answered, by route template.",
    ["dialect", "route", "method", "status"],
)
REQUEST_SECONDS = Histogram(
    "inturn_request_seconds", "Time to answer a request.", ["dialect", "route"], buckets=_QUICK
)

QUEUE_DEPTH = Gauge("inturn_queue_depth", "Queued runs.", ["pool"])
QUEUE_OLDEST = Gauge("inturn_queue_oldest_seconds", "Age of the oldest ready run.", ["pool"])
RUNS = Gauge("inturn_runs", "Runs that are not terminal.", ["status"])
RUN_WAIT_SECONDS = Histogram(
    "inturn_run_wait_seconds", "From stored to claimed.", ["pool"], buckets=_LONG
)
RUN_SECONDS = Histogram(
    "inturn_run_seconds", "From claimed to settled.", ["pool", "status"], buckets=_LONG
)

BATCH_SIZE = Histogram(
    "inturn_group_commit_batch_size",
    "Items that shared one transaction.",
    ["verb"],
    buckets=_BATCH,
)
BATCH_SECONDS = Histogram(
    "inturn_group_commit_seconds", "Time of one shared transaction.", ["verb"], buckets=_QUICK
)
REFUSED_WRITES = Counter("inturn_refused_writes", "Worker writes refused for a stale fence.")
REMOVED = Counter("inturn_removed_rows", "Rows that have outlived their use.", ["kind"])

ANNOUNCED = Counter(
    "inturn_announcements",
    "Announcements by what the broker said: confirmed, returned or lost.",
    ["result"],
)
SIGNALS = Counter(
    "inturn_signals", "Hints between processes: sent, dropped, heard (messages).", ["result"]
)
DELIVERIES = Counter(
    "inturn_deliveries",
    "Attempts at webhook deliveries by what came of them: delivered, retried or failed.",
    ["result"],
)
SOCKETS = Gauge("inturn_sockets", "Clients connected over socket.io.")
ROOMS = Gauge("inturn_rooms", "Sessions that clients of this process have joined.")
SOCKETS_DROPPED = Counter(
    "inturn_sockets_dropped", "Sockets closed by this server: slow, revoked, silent.", ["reason"]
)
AGENT_LOOP_LAG = Gauge("inturn_agent_loop_lag_seconds", "How late the agents' loop runs.")
SLOTS_FREE = Gauge("inturn_slots_free", "Slots of this process that hold no run.")

# These speak at INFO of what our own lines and metrics already say.
_CHATTY = ("dramatiq", "httpx", "httpcore", "asyncio", "alembic", "aiosqlite")

# Tells each failed connection in seven errors and a traceback; our `broker_down` says it in one.
_NOISY = "pika"


def render() -> tuple[bytes, str]:
    """Print every metric of this process, and the content type of that text."""
    return generate_latest(), CONTENT_TYPE_LATEST


def configure_logging(level: str) -> None:
    """Send every library's log lines to stderr: JSON, or readable on a terminal."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    _configure_structlog(shared)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger(_NOISY).setLevel(logging.CRITICAL)


def _configure_structlog(shared: list[Processor]) -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _renderers() -> list[Processor]:
    # Plain tracebacks: the richer ones print local variables, and those hold keys and contents.
    if sys.stderr.isatty():
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
