"""Execution: claims runs and performs them."""
