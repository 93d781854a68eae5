"""Which runs may share an answer."""

import json
from hashlib import sha256

from shared.domain.requests import NewMessage
from shared.ids import PrincipalId


def options_hash(new: NewMessage, principal_id: PrincipalId) -> bytes:
    """Fingerprint what a run is asked for; a message joins a run only if theirs are the same.

    A callback is signed with its principal's secret, so there the principal counts too.
    """
    signed_by = str(principal_id) if new.callback_url else None
    asked = [new.priority, new.deadline, new.inputs, new.options, new.callback_url, signed_by]
    return sha256(json.dumps(asked, sort_keys=True).encode()).digest()
