"""`inturn doctor`: does every row keep its promises?"""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from inturn.opened import examined
from inturn.start import read_settings
from shared import ids
from shared.domain.findings import Finding

_PREFIX = {"runs": "run", "sessions": "sess", "messages": "msg"}
_PROMISES = {
    2: "every run reaches exactly one terminal status",
    3: "at most one run of a session is live, and they start in order",
    5: "a succeeded run has exactly one assistant message",
}


def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="One finding a line.")] = False
) -> None:
    """Look for rows that break an invariant; exit 1 names each. It only reads.

    For example:

        inturn doctor

        inturn doctor --json
    """
    findings = asyncio.run(examined(read_settings()))
    for finding in findings:
        typer.echo(_line(finding) if as_json else _sentence(finding))
    if findings:
        raise typer.Exit(1)
    if not as_json:
        typer.echo("healthy: invariants 2, 3 and 5 hold for every row")


def _sentence(finding: Finding) -> str:
    promise = _PROMISES.get(finding.invariant, "")
    return f"{_id(finding)} {finding.problem} (invariant {finding.invariant}: {promise})"


def _line(finding: Finding) -> str:
    return json.dumps({**asdict(finding), "id": _id(finding)})


def _id(finding: Finding) -> str:
    return ids.spell(_PREFIX.get(finding.table, finding.table), finding.id)
