"""Records of starts."""
