"""The HTTP side: contracts in, receipts out."""
