"""Where webhooks may go: what a URL may look like, and which addresses are nobody's business.

Sources: the IANA registries of special-purpose addresses, and the clouds' own pages on where
their machines ask for credentials.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

_URL = re.compile(r"[\x21-\x7e]+", re.ASCII)
_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?",
    re.ASCII,
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_BRACKETED = re.compile(r"\[[0-9a-f:.]+\](:[0-9]*)?", re.ASCII | re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_LOW_PORTS = range(1024)  # of these, only the two above

# They name this machine or its network, whatever a resolver makes of them.
_HOME = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa")

_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network; the unspecified address reaches this machine
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # behind a carrier's NAT; some clouds' metadata
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's host
            "169.254.0.0/16",  # link-local, and with it most clouds' metadata
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # relays from 6to4
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
# Only 2000::/3 is the public internet; of it, these are not.
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments; Teredo hides an IPv4 address in it
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4 hides another
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL that can be posted to, in parts; `path` holds the query too."""

    scheme: str
    host: str  # lower case; an IPv6 address without its brackets
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Who answers there."""
        return f"{self.scheme}://{self._host}:{self.port}"

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        usual = self.port == _PORTS[self.scheme]
        return self._host if usual else f"{self._host}:{self.port}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host, if it is an address and not a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


def read_url(url: str) -> Target:
    """Take an http or https URL apart. Raises ValueError with what is wrong with it."""
    if not _URL.fullmatch(url) or "\\" in url:
        raise ValueError("must be a URL of visible ASCII characters; encode all others")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("has brackets around what is no IPv6 address") from None
    if parts.scheme not in _PORTS:
        raise ValueError("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not carry credentials")
    try:
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not port:
        raise ValueError("has a port that is none")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(
        scheme=parts.scheme, host=_host(parts.hostname or "", parts.netloc), port=port, path=path
    )


def origin_of(url: str) -> str:
    """Say who answers at a URL; what is none stands for itself."""
    try:
        return read_url(url).origin
    except ValueError:
        return url


def _host(name: str, netloc: str) -> str:
    host = name.removesuffix(".").lower()
    if netloc.startswith("["):
        if not _BRACKETED.fullmatch(netloc):
            raise ValueError("has a host that is no IPv6 address")
        try:
            return str(IPv6Address(host))
        except ValueError:
            raise ValueError("has a host that is no IPv6 address") from None
    # Resolvers also read 127.1, 0x7f.1 and 2130706433 as addresses; nobody here does.
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise ValueError("has a host that is neither a name nor an IPv4 address") from None
    if not _NAME.fullmatch(host):
        raise ValueError("has no valid host name")
    return host


def refusal(target: Target) -> str | None:
    """Say why nothing may be sent there, as far as the URL alone tells; null if it may."""
    if target.port in _LOW_PORTS and target.port not in _PORTS.values():
        return f"port {target.port} is not allowed; use 80, 443 or one above {_LOW_PORTS.stop - 1}"
    if target.address is not None:
        return None if is_public(target.host) else "is not a public address"
    labels = f".{target.host}"
    if labels.count(".") == 1 or any(labels.endswith(f".{name}") for name in _HOME):
        return "is not a public host name"
    return None


def is_public(address: str) -> bool:
    """Tell whether an address is on the public internet, also by what it may be turned into."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    if ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if ip in _NAT64:
        return is_public(str(IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip in _PUBLIC_6 and not any(ip in network for network in _NOT_PUBLIC_6)
