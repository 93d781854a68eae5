"""Names and shapes in the broker: one queue per pool, and beside it one for dead letters.

The relay publishes and dramatiq consumes; both declare from here, because RabbitMQ refuses
a second declaration that differs in a single argument. All of it works on 3.10 and on 4.x.
"""

from dramatiq import Message
from dramatiq.common import xq_name

from shared.ids import RunId, spell

ACTOR_NAME = "admit"

Arguments = dict[str, str | int]

_DELIVERY_LIMIT = 20
_DEAD_LETTERS = 10_000
_WEEK_MILLISECONDS = 7 * 24 * 3600 * 1000


def queue_name(namespace: str, pool: str) -> str:
    """Return the queue that the pool's workers consume."""
    return f"{namespace}.{pool}"


def declarations(queue: str) -> list[tuple[str, Arguments]]:
    """List the durable queues to declare for one pool, with their arguments."""
    return [
        (xq_name(queue), dead_letter_arguments()),
        (queue, queue_arguments(queue)),
    ]


def queue_arguments(queue: str) -> Arguments:
    """Return the arguments of a pool's queue."""
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": _DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": xq_name(queue),
    }


def dead_letter_arguments() -> Arguments:
    """Return the arguments of a dead-letter queue: it is for eyes only, so it may forget."""
    return {
        "x-queue-type": "quorum",
        "x-max-length": _DEAD_LETTERS,
        "x-message-ttl": _WEEK_MILLISECONDS,
    }


def message(run_id: RunId, queue: str) -> Message[None]:
    """Make an announcement: a run id, nothing else."""
    return Message(
        queue_name=queue,
        actor_name=ACTOR_NAME,
        args=(run_id.hex,),
        kwargs={},
        options={},
        message_id=spell("run", run_id),
    )


def encode(run_id: RunId, queue: str) -> bytes:
    """Make the body that dramatiq's consumers read."""
    return message(run_id, queue).encode()
