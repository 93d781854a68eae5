"""One suite per seam, run over each of its variants."""
