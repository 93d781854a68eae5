"""Exit codes of a worker process, for whoever starts it again."""

REFUSED = 2  # it could not start; starting it again changes nothing
BURIED = 70  # the fleet took it for dead and gave its runs to others
BLOCKED = 71  # a run blocked the agents' loop past the watchdog's limit
