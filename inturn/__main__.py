"""`python -m inturn` is the command `inturn`."""

from inturn.main import app

app()
