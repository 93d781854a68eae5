"""What stops a command: one sentence on stderr and exit 2, never a traceback."""

from typing import Never

EXIT_REFUSED = 2


class Refused(Exception):  # named for what happened, as all of the house's
    """A start or a command that cannot be; the text is for the person at the keyboard."""


class OwnedElsewhere(Refused):
    """Another process has this SQLite database."""


def refuse(sentence: str) -> Never:
    """Stop the command with `sentence`."""
    raise Refused(sentence) from None


def without_password(url: str) -> str:
    """Print a URL that may be shown: no password, no query."""
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.partition("?")[0].rpartition("@")
    return f"{scheme}://{credentials.partition(':')[0]}{at}{place}"
