"""The public keys of whoever signs tokens: a file as RFC 7517 describes it."""

import asyncio
from collections.abc import Mapping
from math import inf
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeAlias

import orjson
import structlog
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from shared.clock import monotonic

log = structlog.get_logger(__name__)

MAX_BYTES = 1 << 20
LOOK_SECONDS = 1.0
_SMALLEST_RSA = 2048  # bits
_ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}  # of each type of key; ES256 is P-256 alone
# Of a private key that got into the file only the public half is ever read.
_PUBLIC = ("kty", "n", "e", "crv", "x", "y")

PublicKeys: TypeAlias = Mapping[tuple[str, str], PyJWK]  # by key id and algorithm
_Seen: TypeAlias = tuple[int, int, int] | None


class BadKeyFile(Exception):
    """A sentence: what is wrong with the file."""


class KeyFile:
    """The keys of a file that may be rotated: looked at again now and then, never per request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: PublicKeys = {}
        self._seen: _Seen = None
        self._looked = -inf
        self._looking = asyncio.Lock()

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key of this name that is for this algorithm."""
        async with self._looking:
            if monotonic() - self._looked >= LOOK_SECONDS:
                await asyncio.to_thread(self._look)
                self._looked = monotonic()
        return self._keys.get((kid, algorithm))

    def _look(self) -> None:
        """Read the file if it is another one; what cannot be read leaves the old keys in force."""
        seen = _state(self._path)  # before it is read: what is written meanwhile is seen next time
        if seen == self._seen and self._looked > -inf:
            return
        self._seen = seen
        try:
            self._keys = read_keys(self._path)
        except BadKeyFile as error:
            log.error("jwks_file_not_read", reason=str(error))  # noqa: TRY400  (says it all)


def read_keys(path: Path) -> PublicKeys:
    """Read the keys that verify RS256 or ES256 and have a name. Raises BadKeyFile."""
    try:
        found = path.stat()
        if not S_ISREG(found.st_mode):  # a pipe would be waited for, by all who come with tokens
            raise BadKeyFile(f"'{path}' is no file")
        if found.st_size > MAX_BYTES:
            raise BadKeyFile(f"'{path}' is larger than {MAX_BYTES} bytes")
        parsed = orjson.loads(path.read_bytes())
    except OSError as error:
        raise BadKeyFile(f"'{path}' cannot be read ({error.strerror})") from error
    except orjson.JSONDecodeError as error:
        raise BadKeyFile(f"'{path}' is not JSON") from error
    listed = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(listed, list):
        raise BadKeyFile(f"'{path}' is no JSON Web Key Set: {{\"keys\": [...]}}")
    keys: dict[tuple[str, str], PyJWK] = {}
    for key in filter(None, map(_key, listed)):
        name = (str(key.key_id), key.algorithm_name)
        if name in keys:
            raise BadKeyFile(f"'{path}' has two {name[1]} keys of one `kid`")
        keys[name] = key
    if not keys:
        raise BadKeyFile(f"'{path}' has no RS256 or ES256 key with a `kid`")
    return keys


def _key(given: Any) -> PyJWK | None:  # noqa: ANN401  (whatever the file holds)
    """Read one member; what is of another kind or purpose is left out, as the RFC asks."""
    if not isinstance(given, dict) or given.get("use", "sig") != "sig":
        return None
    kid, algorithm = given.get("kid"), _ALGORITHMS.get(str(given.get("kty")))
    if not (kid and isinstance(kid, str) and algorithm):
        return None
    if given.get("alg", algorithm) != algorithm:
        return None
    public = {name: given[name] for name in _PUBLIC if name in given}
    try:
        key = PyJWK({**public, "kid": kid}, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None
    return None if getattr(key.key, "key_size", 0) < _smallest(algorithm) else key


def _smallest(algorithm: str) -> int:
    return _SMALLEST_RSA if algorithm == "RS256" else 0


def _state(path: Path) -> _Seen:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
