"""The number of starts of an operation, by the core's own rule, before the first start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from pulumi_policy import ReportViolation, ResourceValidationArgs

from pulumi_vod_workflow.config.settings import home_folder, load_settings
from pulumi_vod_workflow.core.batch.changes import plan_batch
from pulumi_vod_workflow.core.batch.inputs import normalise_batch
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


def starts(kind: str, before: Properties | None, declared: Properties, service: str | None) -> int:
    """
    Return how many runs a declaration starts.

    Args:
        kind: the resource's canonical type.
        before: its recorded outputs; None for a new resource.
        declared: its checked inputs.
        service: the endpoint of the real service, if the configuration names one.

    """
    try:
        if kind != RUN_TYPE:
            plan = plan_batch(normalise_batch(before or {}), declared, service=service)
            return len(plan.start)
        if before is None:
            return int("existingRunId" not in declared)
        return int(bool(plan_change(before, declared, service=service).new_run))
    except AdoptionError:
        return 0  # the provider rejects the declaration


def service_of(provider: Properties) -> str | None:
    """Return the endpoint of the real service, if a provider's configuration names one."""
    texts = {key: value for key, value in provider.items() if isinstance(value, str)}
    try:
        return load_settings(texts.get, os.environ, home_folder()).site.service
    except ConfigurationError:
        return None  # the provider rejects the configuration


class AtMostStarts(VodPolicy):
    """
    A policy that rejects the first start above the maximum, before it is sent.

    The engine calls the policy before the creation of each resource, also without a preview. So
    the count continues from resource to resource; one process serves one operation.
    """

    def __init__(self) -> None:
        super().__init__(
            "at-most-starts",
            "An update starts at most `max` runs: each run is paid and cannot be cancelled.",
            {
                "max": {"type": "integer", "minimum": 0, "default": 50},
                "organization": {"type": "string", "minLength": 1},
            },
        )
        self._lock = Lock()
        self._recorded: Mapping[str, Properties] | None = None
        self._note = ""
        self._starts: dict[str, int] = {}

    def validate(self, args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        """Read the state at the first resource, the stack, before any operation."""
        with self._lock:
            if self._recorded is None:
                try:
                    self._recorded = recorded(args.urn, args.get_config().get("organization"))
                except RecordError as error:
                    self._recorded, self._note = {}, f" ({error})"
            super().validate(args, report_violation)

    def judge(self, args: ResourceValidationArgs, declared: Properties) -> Iterator[str]:
        """Count a resource's starts; yield a message if they exceed the maximum."""
        known = self._recorded or {}
        urns = (args.urn, *args.opts.aliases)
        before = next((known[urn] for urn in urns if urn in known), None)
        provider = args.provider
        configuration = provider and provider_configuration(
            provider.resource_type, received(provider.props)
        )
        service = service_of(configuration or {})
        own = starts(canonical_type(args.resource_type), before, declared, service)
        self._starts[args.urn] = own
        total, most = sum(self._starts.values()), int(args.get_config()["max"])
        if own and total > most:
            yield (
                f"{_count_starts(own)} here, {total:,} in this update so far; the maximum is "
                f"{most:,}{self._note}. Change or add fewer runs at a time (`--target` selects "
                "resources), or raise `max` of at-most-starts in the policy pack's configuration."
            )


def _count_starts(count: int) -> str:
    return "1 start" if count == 1 else f"{count:,} starts"
