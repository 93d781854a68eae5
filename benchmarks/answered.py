"""Batches with workers on: 10,000 messages to 1,000 sessions, every one answered once, in order."""

import time

import orjson
from rich.progress import Progress

from benchmarks import load
from benchmarks.batch import PATH, SIZE
from benchmarks.burst import open_stack
from benchmarks.processes import BenchmarkError
from benchmarks.report import Row
from benchmarks.stacks import Stack

SESSIONS = 1000
MESSAGES = 10_000
_LONGEST_SECONDS = 240.0
_LOOK_SECONDS = 0.1
_SETTLED = "SELECT count(*) FROM runs WHERE settled_at IS NOT NULL"
_ANSWERED_ONCE = """
SELECT (SELECT count(*) FROM messages WHERE role = 'user'),
       (SELECT count(*) FROM messages WHERE role = 'assistant'),
       (SELECT count(*) FROM runs WHERE status = 'succeeded' AND attempt = 1),
       (SELECT count(*) FROM messages asked JOIN messages answer ON answer.run_id = asked.run_id
         WHERE asked.role = 'user' AND answer.role = 'assistant'
           AND CAST(asked.content AS text) = CAST(answer.content AS text))
"""
_OUT_OF_ORDER = """
SELECT count(*) FROM (
  SELECT claimed_at, lag(settled_at) OVER (PARTITION BY session_id ORDER BY seq) AS ended FROM runs
) AS line WHERE ended > claimed_at
"""
# What was said to a session is numbered in the order of its batches.
_OUT_OF_PLACE = """
SELECT count(*) FROM (
  SELECT session_id, CAST(content AS text) AS said,
         lag(CAST(content AS text)) OVER (PARTITION BY session_id ORDER BY seq) AS earlier
    FROM messages WHERE role = 'user'
) AS line WHERE earlier >= said
"""


def measure(database: str, progress: Progress) -> list[Row]:
    """Post everything in batches, wait until all is settled, and count in the database."""
    with open_stack(database) as stack:
        task = progress.add_task(f"answered, {stack.name}", total=MESSAGES)
        sessions = [path.split("/")[3] for path in load.inboxes(stack, "echo", SESSIONS)]

        def settled() -> int:
            [now] = stack.numbers(_SETTLED)
            progress.update(task, completed=now)
            return now

        began = time.monotonic()
        # One connection: of two batches on their way nobody could say which is the earlier.
        order = load.order(
            stack, [PATH], posts=_bodies(sessions), connections=1, total=MESSAGES // SIZE
        )
        posted = load.run(order, stack, settled)
        while settled() < MESSAGES:
            stack.check()
            if time.monotonic() - began > _LONGEST_SECONDS:
                raise BenchmarkError(f"{stack.name}: {settled()} of {MESSAGES} settled")
            time.sleep(_LOOK_SECONDS)
        took = time.monotonic() - began
        _check(stack)
    return [
        Row(
            what=f"{MESSAGES:,} messages by batch to {SESSIONS:,} sessions, all answered in order",
            on=stack.name,
            measured=f"{MESSAGES / took:.0f}/s",
            target="all",
            met=True,
            beside=f"{took:.1f} s; posted in {posted.outcome.seconds:.1f} s",
        )
    ]


def _bodies(sessions: list[str]) -> list[str]:
    numbered = [
        {"session_id": session, "content": f"{turn:04d} of {session}"}
        for turn in range(MESSAGES // SESSIONS)
        for session in sessions
    ]
    batches = (numbered[start : start + SIZE] for start in range(0, MESSAGES, SIZE))
    return [orjson.dumps(each).decode() for each in batches]


def _check(stack: Stack) -> None:
    counted = stack.numbers(_ANSWERED_ONCE)
    if counted != [MESSAGES] * 4:
        raise BenchmarkError(f"{stack.name}: {counted} asked, answered, succeeded, matched")
    wrong = stack.numbers(_OUT_OF_ORDER) + stack.numbers(_OUT_OF_PLACE)
    if wrong != [0, 0]:
        raise BenchmarkError(f"{stack.name}: {wrong} out of order")
