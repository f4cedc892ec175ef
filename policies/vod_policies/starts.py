"""The number of starts of an operation, by the core's own rule, before the first start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from pulumi_policy import ReportViolation, ResourceValidationArgs

from pulumi_vod_workflow.config.settings import home_folder, load_settings
from pulumi_vod_workflow.core.batch.changes import plan_batch
from pulumi_vod_workflow.core.batch.inputs import items_of, normalise_batch
from pulumi_vod_workflow.core.changes import plan_change
from pulumi_vod_workflow.core.resource_types import (
    RUN_TYPE,
    canonical_type,
    provider_configuration,
)
from pulumi_vod_workflow.errors import AdoptionError, ConfigurationError
from vod_policies.declared import received
from vod_policies.policy import VodPolicy
from vod_policies.recorded import RecordError, recorded

Properties = Mapping[str, Any]


def started(
    kind: str, before: Properties | None, declared: Properties, service: str | None
) -> list[Any]:
    """
    Return the inputs of each run that a declaration starts; `UNKNOWN` for an unknown item.

    Args:
        kind: the resource's canonical type.
        before: its recorded outputs; None for a new resource.
        declared: its checked inputs.
        service: the endpoint of the real service, if the configuration names one.

    """
    try:
        if kind != RUN_TYPE:
            plan = plan_batch(normalise_batch(before or {}), declared, service=service)
            items = items_of(declared)
            return [items[key] for key in plan.start]
        if before is None:
            return [] if "existingRunId" in declared else [declared]
        return [declared] if plan_change(before, declared, service=service).new_run else []
    except AdoptionError:
        return []  # the provider rejects the declaration


def service_of(provider: Properties) -> str | None:
    """Return the endpoint of the real service, if a provider's configuration names one."""
    texts = {key: value for key, value in provider.items() if isinstance(value, str)}
    try:
        return load_settings(texts.get, os.environ, home_folder()).site.service
    except ConfigurationError:
        return None  # the provider rejects the configuration


class LimitPolicy(VodPolicy):
    """
    A policy that rejects the first start above a limit of this update, before it is sent.

    The engine calls the policy before the creation of each resource, also without a preview. So
    the count continues from resource to resource; one process serves one operation.
    """

    def __init__(
        self, name: str, description: str, settings: Mapping[str, Mapping[str, Any]]
    ) -> None:
        organization = {"organization": {"type": "string", "minLength": 1}}
        super().__init__(name, description, {**settings, **organization})
        self._lock = Lock()
        self._recorded: Mapping[str, Properties] | None = None
        self.note = ""
        """The reason for which every declared run counts; empty if the policy knows the state."""

    def is_active(self, _config: Mapping[str, Any]) -> bool:
        """Return whether the settings have a limit."""
        return True

    def validate(self, args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        """Read the state at the first resource, the stack, before any operation."""
        config = args.get_config()
        with self._lock:
            if self._recorded is None and self.is_active(config):
                try:
                    self._recorded = recorded(args.urn, config.get("organization"))
                except RecordError as error:
                    self._recorded, self.note = {}, f" ({error})"
            super().validate(args, report_violation)

    def starts_of(self, args: ResourceValidationArgs, declared: Properties) -> list[Any]:
        """Return the inputs of each run that a resource starts."""
        known = self._recorded or {}
        urns = (args.urn, *args.opts.aliases)
        before = next((known[urn] for urn in urns if urn in known), None)
        provider = args.provider
        configuration = provider and provider_configuration(
            provider.resource_type, received(provider.props)
        )
        service = service_of(configuration or {})
        return started(canonical_type(args.resource_type), before, declared, service)


class AtMostStarts(LimitPolicy):
    """A policy that limits the number of starts."""

    def __init__(self) -> None:
        super().__init__(
            "at-most-starts",
            "An update starts at most `max` runs: each run is paid and cannot be cancelled.",
            {"max": {"type": "integer", "minimum": 0, "default": 50}},
        )
        self._starts: dict[str, int] = {}

    def judge(self, args: ResourceValidationArgs, declared: Properties) -> Iterator[str]:
        """Count a resource's starts; yield a message if they exceed the maximum."""
        own = len(self.starts_of(args, declared))
        self._starts[args.urn] = own
        total, most = sum(self._starts.values()), int(args.get_config()["max"])
        if own and total > most:
            yield (
                f"{_count_starts(own)} here, {total:,} in this update so far; the maximum is "
                f"{most:,}{self.note}. Change or add fewer runs at a time (`--target` selects "
                "resources), or raise `max` of at-most-starts in the policy pack's configuration."
            )


def _count_starts(count: int) -> str:
    return "1 start" if count == 1 else f"{count:,} starts"
