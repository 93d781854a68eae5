"""What the Dramatiq command line imports: `dramatiq workers.main:setup`.

`inturn worker` starts it; `setup` runs in the process that consumes.
"""

import sys

import dramatiq
import structlog

from shared.bootstrap import SchemaBehind
from shared.domain.errors import InturnError
from shared.settings import Settings
from shared.telemetry import configure_logging
from workers import exits
from workers.child import read_child
from workers.house import House, Housekeeping
from workers.lifeline import hold_on

log = structlog.get_logger(__name__)


def setup() -> None:
    """Open the house, declare the actor and name the broker that Dramatiq consumes from."""
    settings, child = Settings(), read_child()
    configure_logging(settings.log_level)
    hold_on(child.lifeline, settings.log_level)
    house = House(settings, child)
    try:
        broker = house.open()
    except (InturnError, SchemaBehind, OSError) as error:
        log.critical("worker_cannot_start", reason=str(error))
        sys.exit(exits.REFUSED)
    broker.add_middleware(Housekeeping(house))
    dramatiq.set_broker(broker)
