"""What Inturn is about, in plain Python: no I/O, no SQL, no HTTP, no clock."""
