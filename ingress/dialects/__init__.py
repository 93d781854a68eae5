"""One package per public contract; none knows another."""
