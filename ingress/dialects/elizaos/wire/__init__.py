"""Shapes of this contract, and their translation."""
