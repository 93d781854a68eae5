"""SQLite has one owner: an OS lock beside the database's real path, and that lock is the lease."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyOwned(Exception):
    """Another process has this SQLite database open for writing."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another process already runs on {path}; stop it, or use PostgreSQL")


@contextmanager
def owned(database: Path) -> Iterator[None]:
    """Hold the lock while the block runs; it goes with the process, however that ends.

    Raises AlreadyOwned, and OSError where the folder cannot be written.
    """
    lock = database.resolve().with_suffix(database.suffix + ".lock")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyOwned(database) from None
        yield
    finally:
        os.close(handle)
