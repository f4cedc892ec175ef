"""The calls of the service: the only I/O with it."""
