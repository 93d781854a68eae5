"""Routes of this contract, a file per noun."""
