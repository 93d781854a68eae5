"""What processes speak to each other through: a broker, and signals."""

from dramatiq import Broker

from shared.dispatch.embedded import EmbeddedBroker, EmbeddedPublisher
from shared.dispatch.rabbitmq import InturnRabbitmqBroker, RabbitPublisher
from shared.dispatch.relay import Publisher
from shared.settings import Settings
from shared.signals import RabbitWire, Wire


def broker_of(settings: Settings) -> tuple[Broker, Publisher]:
    """Make the broker, and who publishes to it; nothing connects yet."""
    if settings.embedded:
        embedded = EmbeddedBroker()
        return embedded, EmbeddedPublisher(embedded, settings.namespace)
    return (
        InturnRabbitmqBroker(settings.broker_url),
        RabbitPublisher(settings.broker_url, settings.namespace),
    )


def wire_of(settings: Settings) -> Wire | None:
    """Make what carries signals to other processes; alone, there is nothing to carry."""
    return None if settings.embedded else RabbitWire(settings.broker_url, settings.namespace)
