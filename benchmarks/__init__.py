"""How fast: `python -m benchmarks --help`."""
