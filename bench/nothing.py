"""
The least that a dynamic resource in Python can be: what any other is measured against.

A module that can be imported, as a provider's class should be in: its pickle is a name, not code.
"""

from typing import Any

from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class NothingProvider(ResourceProvider):
    """Makes an id."""

    serialize_as_secret_always = False  # as in the provider that it is compared with

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make an id of the resource's input."""
        return CreateResult(f"id-{props['vid']}", props)


class Nothing(Resource, module="bench", name="Nothing"):
    """Has two inputs, and does nothing."""

    def __init__(self, resource_name: str, *, vid: str, template_id: str) -> None:
        super().__init__(NothingProvider(), resource_name, {"vid": vid, "templateId": template_id})
