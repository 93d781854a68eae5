"""Transient hints that something moved. Never the truth: a waiter reads SQL after every one."""

from shared.signals.hub import Signals
from shared.signals.poller import VersionPoller
from shared.signals.rabbitmq import RabbitWire
from shared.signals.subscription import Group, Position, Subscription
from shared.signals.wire import Alone, Wire

__all__ = [
    "Alone",
    "Group",
    "Position",
    "RabbitWire",
    "Signals",
    "Subscription",
    "VersionPoller",
    "Wire",
]
