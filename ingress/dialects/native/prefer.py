"""Conditional and patient requests: `Prefer: wait`, `If-None-Match`."""

import re
from collections.abc import Sequence

from ingress.deps import MAX_WAIT_SECONDS

_WAIT = re.compile(r'wait(?:\s*=\s*"?([0-9]{1,9})"?)?', re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def seconds_to_wait(prefer: Sequence[str]) -> int:
    """Read `wait` out of `Prefer` headers (RFC 7240); what is malformed is ignored: 0."""
    for preference in ",".join(prefer).split(","):
        if match := _WAIT.fullmatch(preference.partition(";")[0].strip()):
            return min(int(match[1] or MAX_WAIT_SECONDS), MAX_WAIT_SECONDS)
    return 0


def etag(version: int | str) -> str:
    """Name one version of a body."""
    return f'"native-{version}"'


def none_match(header: str | None, tag: str) -> bool:
    """Tell whether the caller has yet to see what this tag names (RFC 9110, 13.1.2)."""
    if header is None:
        return True
    if header.strip() == "*":
        return False
    return tag not in _ETAG.findall(header)
