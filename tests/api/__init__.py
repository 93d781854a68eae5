"""The HTTP contracts, as a client sees them."""
