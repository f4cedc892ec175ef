"""The host of the lifecycle for Python programs: a Pulumi dynamic provider."""
