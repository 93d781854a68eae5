"""What one user has, of every kind there is, and how each contract spells its ids."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from shared.bootstrap import Platform
from shared.ids import parse
from shared.settings import Settings
from shared.storage.schema import metadata
from tests.api.caller import Caller
from tests.api.performer import Performer

# Parameters that name what somebody owns. Agents are everybody's; keys and pools the admins'.
NOUNS = {
    "session_id": "sess",
    "run_id": "run",
    "schedule_id": "sched",
    "webhook_id": "hook",
    "delivery_id": "delivery",
    "message_id": "msg",
}
AGENT = "f9b9a27a-25c1-5104-8c30-8e99f4cbd0be"  # echo's
OTHERS = {
    "agent": "echo",
    "agent_id": AGENT,
    "pool": "default",
    "key_id": f"key_{'0' * 32}",
    "id": "kb_1",
    "source": "src_1",
}
DASHED = {"elizaos"}


@dataclass(frozen=True, kw_only=True)
class Estate:
    """Ids by the name of the parameter that they stand for."""

    ids: Mapping[str, UUID]

    def spelled(self, dialect: str) -> dict[str, str]:
        """Spell every id as this contract does; one that is not owned has a value, too."""
        spell: Callable[[str, UUID], str] = _dashed if dialect in DASHED else _typed
        return OTHERS | {name: spell(NOUNS[name], each) for name, each in self.ids.items()}


def _dashed(_: str, identity: UUID) -> str:
    return str(identity)


def _typed(noun: str, identity: UUID) -> str:
    return f"{noun}_{identity.hex}"


async def build(owner: Caller, platform: Platform) -> Estate:
    """Make something of everything: a run that ended, one that is queued, what tells of them."""
    hook = await owner.ok(
        "POST", "/v1/webhooks", {"url": "https://8.8.8.8", "events": ["run.succeeded"]}
    )
    session = await owner.ok("POST", "/v1/sessions", {"agent": "echo"})
    url = f"/v1/sessions/{session['id']}"
    first = await owner.ok("POST", f"{url}/messages", {"content": "a secret"})
    await Performer(platform).answer(first["run"]["id"], "another secret")
    second = await owner.ok("POST", f"{url}/messages", {"content": "the last secret"})
    repeated = {"session_id": session["id"], "message": {"content": "hi"}, "cron": "0 0 1 1 *"}
    schedule = await owner.ok("POST", "/v1/schedules", repeated)
    made = {
        "session_id": session["id"],
        "run_id": second["run"]["id"],
        "schedule_id": schedule["id"],
        "webhook_id": hook["id"],
        "delivery_id": f"delivery_{'1' * 32}",
        "message_id": second["message"]["id"],
    }
    return Estate(ids={name: parse(NOUNS[name], each) for name, each in made.items()})


async def rows(settings: Settings) -> dict[str, int]:
    """Count the rows of every table, by a connection of its own."""
    counts = {name: f'SELECT count(*) FROM "{name}"' for name in metadata.tables}  # noqa: S608
    if settings.sqlite:
        with sqlite3.connect(settings.data_dir / "inturn.db") as database:
            return {name: database.execute(sql).fetchone()[0] for name, sql in counts.items()}
    connection = await asyncpg.connect(settings.database.replace("+asyncpg", ""))
    try:
        return {name: await connection.fetchval(sql) for name, sql in counts.items()}
    finally:
        await connection.close()


@contextmanager
def statements(platform: Platform) -> Iterator[list[str]]:
    """Collect what the database is asked, by whichever connection."""
    heard: list[str] = []
    engines = platform.execution._store._engines  # noqa: SLF001  (nobody else needs to know)

    def hear(*about: object) -> None:
        heard.append(str(about[2]))

    both = [engines.reading.sync_engine, engines.writing.sync_engine]
    for engine in both:
        sa.event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        for engine in both:
            sa.event.remove(engine, "before_cursor_execute", hear)
