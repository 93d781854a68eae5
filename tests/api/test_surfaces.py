"""One conversation under four contracts: begun in one, it is read and continued in every other."""

import re
from typing import Any, TypeAlias

import pytest
import sqlalchemy as sa

from shared.bootstrap import Platform
from shared.domain.principal import Principal
from shared.ids import SessionId
from shared.storage.schema import (
    attempts,
    messages,
    run_details,
    run_events,
    run_inputs,
    runs,
    sessions,
)
from tests.api.caller import Caller, Json
from tests.api.performer import Performer
from tests.api.tongues import CONFIGURED, TONGUES, Line, Tongue, talk

Tables: TypeAlias = dict[str, list[dict[str, str]]]

FIRST: Line = ("Where is my order?", "On its way.")
SECOND: Line = ("Since when? Ça dépend: 'x' \"y\" 😀", "Since\nnoon.")
_OTHERS_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


def flat(*lines: Line) -> list[Line]:
    """What is read of what was said and answered."""
    return [each for said, answer in lines for each in (("user", said), ("assistant", answer))]


@pytest.mark.parametrize("second", TONGUES, ids=str)
@pytest.mark.parametrize("first", [*TONGUES, CONFIGURED], ids=str)
async def test_a_session_begun_in_one_goes_on_in_the_other_and_is_read_in_all(
    service: Caller, performer: Performer, owner: Principal, first: Tongue, second: Tongue
) -> None:
    session_id = await first.open(service)
    await talk(first, service, performer, owner, session_id, FIRST)
    await talk(second, service, performer, owner, session_id, SECOND)
    for tongue in TONGUES:
        assert await tongue.read(service, session_id) == flat(FIRST, SECOND), tongue


# What is not the same in all four, and why.
ONLY_ONE_SAYS = {
    "sessions": {
        "origin",  # which it is
        "user_id",  # ElizaOS: whose conversation it is stands in the body
        # ElizaOS: its sessions live by a policy
        "timeout_minutes", "auto_renew", "max_duration_minutes", "warning_threshold_minutes",
        "expires_at", "warn_at", "renewal_count",
    },
    "messages": {"author_id"},  # ElizaOS: the session's user; elsewhere the caller's
    "runs": {"origin"},
}  # fmt: skip
# Whether the relay was quicker than the test, which looks for the run by itself.
BY_CHANCE = {"announce_count", "announced_at", "announce_hold_until"}
_OF_RUNS = (run_inputs, run_details, attempts, run_events)


class Correlated(Caller):
    """Calls in the course of one piece of work."""

    async def call(self, method: str, url: str, json: Json = None, **headers: str) -> Any:  # noqa: ANN401
        return await super().call(method, url, json, **{"X_Correlation_ID": "one"} | headers)


async def test_the_same_conversation_leaves_the_same_rows(
    service: Caller, performer: Performer, owner: Principal
) -> None:
    left = {}
    for tongue in TONGUES:
        caller = Correlated(service.http, service.key)
        session_id = await tongue.open(caller)
        await talk(tongue, caller, performer, owner, session_id, FIRST, SECOND)
        left[tongue.name] = await rows(performer.platform, session_id)
    native = left.pop("native")
    assert [len(native[name]) for name in ("sessions", "messages", "runs")] == [1, 4, 2]
    for name, others in left.items():
        assert differences(native, others) == [], name


async def rows(platform: Platform, session_id: SessionId) -> Tables:
    """All that a session is in the tables, by the names of the columns, in the order of its line.

    Ids are numbered by their first appearance; of an instant is only told that it is there.
    """
    of_session = sa.select(runs.c.id).where(runs.c.session_id == session_id)
    queries = {
        "sessions": sa.select(sessions).where(sessions.c.id == session_id),
        "runs": sa.select(runs).where(runs.c.session_id == session_id).order_by(runs.c.seq),
        "messages": sa.select(messages)
        .where(messages.c.session_id == session_id)
        .order_by(messages.c.seq),
    }
    for table in _OF_RUNS:
        queries[table.name] = (
            sa.select(table)
            .join_from(table, runs, runs.c.id == table.c.run_id)
            .where(table.c.run_id.in_(of_session))
            .order_by(runs.c.seq, *table.primary_key.columns)
        )
    numbers: dict[str, str] = {}
    found = {}
    async with platform.execution._store.reading() as reading:  # noqa: SLF001
        for name, query in queries.items():
            left_out = ONLY_ONE_SAYS.get(name, set()) | BY_CHANCE
            found[name] = [
                {key: told(key, row[key], numbers) for key in row if key not in left_out}
                for row in (await reading.execute(query)).mappings()
            ]
    return found


def differences(left: Tables, right: Tables) -> list[str]:
    found = [
        f"{name}: {len(left[name])} rows, and {len(right[name])}"
        for name in left
        if len(left[name]) != len(right[name])
    ]
    for name in left:
        for one, other in zip(left[name], right[name], strict=False):
            found += [
                f"{name}.{key}: {one[key]!r}, and {other[key]!r}"
                for key in one
                if one[key] != other[key]
            ]
    return found


def told(column: str, value: object, numbers: dict[str, str]) -> str:
    if value is not None and (column.endswith("_at") or column == "at"):
        return "an instant"

    def number(found: re.Match[str]) -> str:
        digits = found[0].replace("-", "")
        return numbers.setdefault(digits, f"id {len(numbers)}")

    return _OTHERS_UUID.sub(number, str(value))
