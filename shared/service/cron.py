"""Cron expressions: when something is due on the wall clock of a time zone.

Where the clock jumps, an expression with a fixed minute and hour keeps its word once: a time
that is skipped is due when the clock has jumped, a time that comes twice is due the first time.
An expression with `*` in one of the two goes by the time that really passes.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import product, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from shared.clock import SECOND, Instant, from_datetime, to_datetime

_FIELDS = 5
_YEARS = 50  # what is not due for so long never is; 29 February on a Sunday takes up to 40
_MINUTE = timedelta(minutes=1)
_QUARTER = 15  # every clock on earth is off UTC by a multiple of this, and jumps by one
_NO_ZONES = {"Factory", "localtime", "posixrules"}  # not everywhere the same, or nowhere a zone
_LOOK_BACK_HOURS = (1, 24, 24 * 31, 24 * 366, 24 * 366 * _YEARS)


class Cron:
    """Five fields and a time zone."""

    def __init__(self, expression: str, time_zone: str) -> None:
        """Read an expression. Raises ValueError, in words for who wrote it."""
        parts = expression.split()
        if len(parts) != _FIELDS:
            message = "expected five fields: minute, hour, day of month, month, day of week"
            raise ValueError(message)
        try:
            self._fields = CronSim(expression, datetime(1, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise ValueError(str(error).lower()) from None
        self._zone = find_zone(time_zone)
        self._fixed = not parts[0].startswith("*") and not parts[1].startswith("*")

    def next_after(self, moment: Instant) -> Instant | None:
        """Return when it is due next, or null if it never is."""
        return next(self.after(moment), None)

    def newest(self, since: Instant, until: Instant, at_most: int) -> tuple[Instant, ...]:
        """Return the last times it was due in a period, both ends included, oldest first.

        Looks back further and further, so that a long period costs no more than a short one.
        """
        found: deque[Instant] = deque(maxlen=at_most)
        for hours in _LOOK_BACK_HOURS:
            start = max(since, until - hours * 3600 * SECOND)
            past = takewhile(lambda due: due <= until, self.after(Instant(start - 1)))
            found = deque(past, maxlen=at_most)
            if len(found) == at_most or start == since:
                break
        return tuple(found)

    def after(self, moment: Instant) -> Iterator[Instant]:
        """Yield when it is due after `moment`, in order, for some decades."""
        latest = to_datetime(moment)
        local = latest.astimezone(self._zone)
        day, end = local.date(), local.year + _YEARS
        on = self._by_the_clock if self._fixed else self._by_passing_time
        while day.year <= end:
            if day.month in self._fields.months and self._fields.match_day(day):
                for due in on(day, latest):
                    if due > latest:
                        latest = due
                        yield from_datetime(due)
            day += timedelta(days=1)

    def _by_the_clock(self, day: date, latest: datetime) -> Iterator[datetime]:
        shown = latest.astimezone(self._zone).replace(tzinfo=None)
        for hour, minute in product(sorted(self._fields.hours), sorted(self._fields.minutes)):
            wanted = datetime.combine(day, time(hour, minute))
            if wanted > shown:
                yield self._first(wanted)

    def _first(self, wanted: datetime) -> datetime:
        """Return when the clock shows `wanted` for the first time, or has jumped over it."""
        while True:
            moment = wanted.replace(tzinfo=self._zone).astimezone(UTC)
            if moment.astimezone(self._zone).replace(tzinfo=None) == wanted:
                return moment
            wanted += _MINUTE

    def _by_passing_time(self, day: date, latest: datetime) -> Iterator[datetime]:
        midnight = datetime.combine(day, time(), tzinfo=self._zone).astimezone(UTC)
        moment = max(midnight, latest.replace(second=0, microsecond=0))
        while (local := moment.astimezone(self._zone)).date() == day:
            if local.hour not in self._fields.hours:
                moment += _MINUTE * (_QUARTER - local.minute % _QUARTER)
                continue
            if local.minute in self._fields.minutes:
                yield moment
            moment += _MINUTE


def find_zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database. Raises ValueError."""
    if name not in _zones():
        message = "no such time zone; expected a name like UTC or Europe/Berlin"
        raise ValueError(message)
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_ZONES)
