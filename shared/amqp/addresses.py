"""Where RabbitMQ is."""

from pika import URLParameters


def addresses(url: str) -> list[URLParameters]:
    """Read one or more AMQP URLs, separated by `;`.

    A dead or blocking peer must be noticed soon, and pika's own defaults are far too patient:
    both settings hold unless a URL names its own.
    """
    return [_address(each) for each in url.split(";")]


def _address(url: str) -> URLParameters:
    address = URLParameters(url)
    if address.heartbeat is None:
        address.heartbeat = 15
    if address.blocked_connection_timeout is None:
        address.blocked_connection_timeout = 30
    return address
