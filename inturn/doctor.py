"""`inturn doctor`: does every row keep its promises?"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from inturn.opened import examined, measured
from inturn.start import read_settings
from shared.clock import SECOND
from shared.domain.findings import Examination, Finding

_PROMISES = {
    2: "every run reaches exactly one terminal status",
    3: "at most one run of a session is live, and they start in order",
    5: "a succeeded run has exactly one assistant message",
}
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One finding a line.")] = False,
    sizes: Annotated[bool, typer.Option("--sizes", help="How much there is, and how old.")] = False,
) -> None:
    """Look for rows that break an invariant; exit 1 names each. It only reads.

    For example:

        inturn doctor

        inturn doctor --json

        inturn doctor --sizes
    """
    settings = read_settings()
    seen = asyncio.run(measured(settings)) if sizes else None
    findings = seen.findings if seen else asyncio.run(examined(settings))
    for finding in findings:
        typer.echo(_line(finding) if as_json else _sentence(finding))
    if not findings and not as_json:
        typer.echo("healthy: invariants 2, 3 and 5 hold for every row")
    if seen and not as_json:
        typer.echo("\n".join(["", *_report(seen)]))
    if findings:
        raise typer.Exit(1)


def _sentence(finding: Finding) -> str:
    promise = _PROMISES.get(finding.invariant, "")
    return f"{finding.spelled} {finding.problem} (invariant {finding.invariant}: {promise})"


def _line(finding: Finding) -> str:
    return json.dumps({**asdict(finding), "id": finding.spelled})


def _report(seen: Examination) -> Iterable[str]:
    yield f"{'table':<24}{'rows':>14}{'bytes':>12}"
    for size in seen.sizes:
        rows = f"{size.rows:,}" if size.exact else f"about {size.rows:,}"
        yield f"{size.table:<24}{rows:>14}{_bytes(size.bytes):>12}"
    yield f"{'goes with time':<24}{'kept for':>14}{'oldest':>12}"
    for kept in seen.keepings:
        oldest = None if kept.oldest_at is None else (seen.at - kept.oldest_at) / SECOND
        late = "  overdue: does a sweeper run?" if kept.overdue(seen.at) else ""
        yield f"{kept.name:<24}{_span(kept.seconds):>14}{_span(oldest):>12}{late}"


def _bytes(number: int | None) -> str:
    if number is None:
        return "-"
    return f"{number / 1024:,.0f} KiB" if number < 1 << 20 else f"{number / (1 << 20):,.1f} MiB"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    fitting = (each for each in _SPANS if seconds >= 2 * each[0] or seconds == each[0])
    length, unit = next(fitting, _SPANS[-1])
    return f"{seconds / length:.0f} {unit}"
