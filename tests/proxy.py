"""A TCP proxy on loopback that fails the way a network does, when a test says so."""

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

from tests.services import LOOPBACK


@dataclass(eq=False, slots=True)
class Link:
    """One client's connection and ours to the server."""

    client: socket.socket
    server: socket.socket
    primed: bool = False
    doomed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        for end in (self.client, self.server):
            # Wakes the thread that reads from it, which a plain close would not.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Forwards `port` to `target` on loopback, one thread per direction."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._links: set[Link] = set()
        self._prelude = b""
        self._marker: bytes | None = None
        self._silent = threading.Event()
        self._lock = threading.Lock()
        self.swallowed = threading.Event()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Close every connection; new ones are served."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.close()

    def swallow_reply(self, marker: bytes, *, prelude: bytes = b"") -> None:
        """Once, when a client sends `marker` in one piece: let it through, wait for the server's
        reply, keep that and close both ends. `swallowed` is set when it has happened.

        With a `prelude` only a client that has sent this, too, from now on.
        """
        with self._lock:
            self.swallowed.clear()
            self._marker, self._prelude = marker, prelude
            for link in self._links:
                link.primed = False

    def fall_silent(self) -> None:
        """From now on server replies vanish and connections stay open."""
        self._silent.set()

    def speak(self) -> None:
        """Pass replies again; what vanished stays lost."""
        self._silent.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection((LOOPBACK, self._target))
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(client, server)
        with self._lock:
            self._links.add(link)
        for pump in (self._forward, self._return):
            threading.Thread(target=pump, args=(link,), daemon=True).start()

    def _forward(self, link: Link) -> None:
        with contextlib.suppress(OSError):
            while sent := link.client.recv(65536):
                with self._lock:
                    link.primed = link.primed or self._prelude in sent
                    if self._marker is not None and link.primed and self._marker in sent:
                        self._marker = None
                        link.doomed.set()
                link.server.sendall(sent)
        link.close()

    def _return(self, link: Link) -> None:
        with contextlib.suppress(OSError):
            while reply := link.server.recv(65536):
                if link.doomed.is_set():
                    self.swallowed.set()
                    break
                if not self._silent.is_set():
                    link.client.sendall(reply)
        link.close()
