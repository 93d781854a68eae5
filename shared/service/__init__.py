"""Use cases: one verb, one transaction, opened here and closed by leaving the block."""
