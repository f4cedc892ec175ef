"""Inputs of a run: their rules."""
