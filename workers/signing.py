"""Signatures, as Standard Webhooks prescribes them."""

from standardwebhooks import Webhook

from shared.clock import SECOND, to_datetime
from shared.domain.webhook import Outgoing
from shared.ids import spell


def headers(outgoing: Outgoing) -> dict[str, str]:
    """Return the headers of one attempt: the same id each time, signed with every secret."""
    message_id, moment = spell("delivery", outgoing.id), to_datetime(outgoing.taken_at)
    signatures = (
        Webhook(secret).sign(message_id, moment, outgoing.body) for secret in outgoing.secrets
    )
    correlation = outgoing.correlation_id
    return {
        "Content-Type": "application/json",
        "User-Agent": "Inturn-Webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(outgoing.taken_at // SECOND),
        "webhook-signature": " ".join(signatures),
        **({"X-Correlation-ID": correlation} if correlation else {}),
    }
