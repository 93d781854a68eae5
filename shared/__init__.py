"""What every process shares: domain, use cases, storage, dispatch, signals."""
