"""The only place that knows every concrete class."""

from shared.bootstrap.platform import Platform, open_platform
from shared.bootstrap.stores import migrate_database, open_for_reading, open_keys, open_presence
from shared.storage.migrate import SchemaBehind
from shared.storage.ownership import AlreadyOwned

__all__ = [
    "AlreadyOwned",
    "Platform",
    "SchemaBehind",
    "migrate_database",
    "open_for_reading",
    "open_keys",
    "open_platform",
    "open_presence",
]
