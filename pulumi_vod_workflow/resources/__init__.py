"""What users declare, and what they read from it."""
