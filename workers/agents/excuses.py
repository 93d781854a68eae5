"""How an agent says that it cannot answer."""

from shared.domain.run import Approval


class NonRetryable(Exception):
    """The run fails at once, with this code and sentence: trying again would not help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Defer(Exception):
    """Not now: the run comes back after `seconds`, and this attempt costs nothing."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.why = why


class Pause(Exception):
    """A human has to decide on `approvals` first; on resume the run is performed again."""

    def __init__(self, approvals: tuple[Approval, ...]) -> None:
        super().__init__(", ".join(approval.tool for approval in approvals))
        self.approvals = approvals
