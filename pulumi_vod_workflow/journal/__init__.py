"""The journal: the records of starts."""
