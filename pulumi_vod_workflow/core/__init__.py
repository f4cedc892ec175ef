"""Pure rules: no I/O, clock, environment, randomness, pulumi or httpx (a test proves it)."""
