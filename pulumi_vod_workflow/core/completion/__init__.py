"""Rules of a completion."""
