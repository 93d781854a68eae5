"""Who serves which pool, as this process last heard: a hint, free to ask for."""

from shared.domain.pace import NOBODY, Workforce
from shared.storage.queueing import forces
from shared.storage.store import Store


class Forces:
    """Refreshed every now and then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Workforce] = {}

    def of(self, pool: str) -> Workforce:
        """Say what is known of a pool."""
        return self._known.get(pool, NOBODY)

    async def refresh(self) -> None:
        """Read what the live workers say."""
        async with self._store.reading() as reading:
            self._known = await forces(reading)
