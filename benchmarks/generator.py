"""The load generator's process: an Order on stdin, an Outcome on stdout."""

import asyncio
import gc
import sys

import uvloop

from benchmarks.client import fulfil
from benchmarks.order import Order


def main() -> None:
    """Fulfil one order."""
    order = Order.model_validate_json(sys.stdin.buffer.read())
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(runner.run(fulfil(order)).model_dump_json())


if __name__ == "__main__":
    main()
