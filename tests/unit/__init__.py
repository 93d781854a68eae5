"""No I/O, no clock, under three seconds in all."""
