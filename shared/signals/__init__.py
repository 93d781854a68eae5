"""Transient hints that something moved. Never the truth: a waiter reads SQL after every one."""

from shared.signals.local import Position, Signals, Subscription
from shared.signals.poller import VersionPoller

__all__ = ["Position", "Signals", "Subscription", "VersionPoller"]
