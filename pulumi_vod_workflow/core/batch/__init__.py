"""Rules of a batch."""
