"""How long sessions live, as the settings say."""

from shared.domain.lifetime import Bounds
from shared.domain.living import Visibility
from shared.service.agents import Agents
from shared.service.lifetimes import Lifetimes
from shared.settings import Settings
from shared.signals import Signals
from shared.storage.store import Store


def open_lifetimes(settings: Settings, store: Store, signals: Signals, agents: Agents) -> Lifetimes:
    """Compose the service."""
    return Lifetimes(
        store,
        signals,
        agents,
        Bounds(
            timeout=settings.session_default_timeout_minutes,
            least_timeout=settings.session_min_timeout_minutes,
            most_timeout=settings.session_max_timeout_minutes,
            longest=settings.session_max_duration_minutes,
            warning=settings.session_warning_threshold_minutes,
        ),
        visibility_of(settings),
        late_seconds=2 * settings.sweep_seconds,
    )


def visibility_of(settings: Settings) -> Visibility:
    """Say how long one can see that a session expired."""
    return Visibility(
        hours=settings.expired_visible_hours,
        tick_minutes=settings.session_cleanup_interval_minutes,
    )
