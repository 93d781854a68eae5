"""RabbitMQ: the relay publishes over pika's asyncio connection, dramatiq consumes over its own."""

from shared.dispatch.rabbitmq.broker import InturnRabbitmqBroker
from shared.dispatch.rabbitmq.publisher import RabbitPublisher

__all__ = ["InturnRabbitmqBroker", "RabbitPublisher"]
