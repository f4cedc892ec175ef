"""The packaged provider: the same resources for every language of Pulumi."""
