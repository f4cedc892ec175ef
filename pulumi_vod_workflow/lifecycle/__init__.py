"""The flow of each operation, for any host."""
