"""RabbitMQ as this house speaks it: where it is, one link to it, and how one is kept open."""

from shared.amqp.addresses import addresses
from shared.amqp.keeper import PATIENCE, keep_open
from shared.amqp.link import Link, LinkLost

__all__ = ["PATIENCE", "Link", "LinkLost", "addresses", "keep_open"]
