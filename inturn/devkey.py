"""The development key: made once, kept in the data directory, readable by its owner only."""

import os
import secrets
from pathlib import Path

from inturn.refused import refuse

_NAME = "dev.key"


def read(folder: Path) -> str | None:
    """Read the key that `inturn serve` made here."""
    try:
        return (folder / _NAME).read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        refuse(f"cannot read {folder / _NAME}: {_why(error)}.")


def ensure(folder: Path) -> str:
    """Read the key, or make it; two processes that start together agree on one."""
    return read(folder) or _make(folder)


def prepare(folder: Path) -> None:
    """Make the data directory and see that it can be written."""
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        refuse(f"cannot write to INTURN_DATA_DIR {folder}: {_why(error)}.")


def _make(folder: Path) -> str:
    draft = folder / f".{_NAME}-{os.getpid()}"
    try:
        handle = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"inturn_dev_{secrets.token_urlsafe(24)}\n")
        _link(draft, folder / _NAME)
        return (folder / _NAME).read_text(encoding="ascii").strip()
    except OSError as error:
        refuse(f"cannot write {folder / _NAME}: {_why(error)}.")


def _link(draft: Path, final: Path) -> None:
    try:
        final.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
