"""The host for Python: a Pulumi dynamic provider."""
