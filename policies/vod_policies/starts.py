"""How many runs an operation would start, by the library's own rule, before any of them is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from pulumi_vod_workflow.config import load_settings
from pulumi_vod_workflow.core.batch import normalise_batch, plan_batch
from pulumi_vod_workflow.core.plan import plan_change
from pulumi_vod_workflow.errors import AdoptionError, ConfigurationError
from vod_policies.declared import RUN, declaration, received
from vod_policies.recorded import RecordError, recorded

Properties = Mapping[str, Any]


def starts(kind: str, before: Properties | None, declared: Properties, service: str | None) -> int:
    """
    Return how many runs a declaration starts.

    Args:
        kind: the resource's type.
        before: what is recorded of it, if anything.
        declared: its checked inputs.
        service: the endpoint of the real service, if the configuration names one.

    """
    try:
        if kind != RUN:
            plan = plan_batch(normalise_batch(before or {}), declared, service=service)
            return len(plan.start)
        if before is None:
            return int("existingRunId" not in declared)
        return int(bool(plan_change(before, declared, service=service).new_run))
    except AdoptionError:
        return 0  # the provider refuses it


def service_of(provider: Properties) -> str | None:
    """Return the endpoint of the real service, if a provider's configuration names one."""
    texts = {key: value for key, value in provider.items() if isinstance(value, str)}
    try:
        return load_settings(texts.get, os.environ, Path.home()).site.service
    except ConfigurationError:
        return None  # the provider refuses it


class AtMostStarts(ResourceValidationPolicy):
    """
    Refuse the start that is one too many, before it is sent.

    The engine asks before each resource is created, also when there was no preview; so the count
    is kept from resource to resource, and one process serves one operation.
    """

    def __init__(self) -> None:
        super().__init__(
            "at-most-starts",
            "One update starts at most as many runs as are allowed: each is paid and cannot be "
            "cancelled.",
            enforcement_level=EnforcementLevel.MANDATORY,
            config_schema=PolicyConfigSchema(
                {
                    "max": {"type": "integer", "minimum": 0, "default": 50},
                    "organization": {"type": "string", "minLength": 1},
                }
            ),
        )
        self._lock = Lock()
        self._recorded: Mapping[str, Properties] | None = None
        self._note = ""
        self._starts: dict[str, int] = {}

    def validate(self, args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        """Count a resource's starts; report it if there are more than are allowed with it."""
        config = args.get_config()
        with self._lock:
            if self._recorded is None:  # with the stack itself, before anything is done
                self._read(args.urn, config.get("organization"))
            own = self._count(args)
            total = sum(self._starts.values())
        most = int(config["max"])
        if own and total > most:
            report_violation(
                f"{own:,} to start here, {total:,} in this update so far; {most:,} are allowed"
                f"{self._note}. Change or add fewer runs at a time (`--target` takes some of the "
                "resources), or raise `max` of at-most-starts in the policy pack's configuration.",
                None,
            )

    def _read(self, urn: str, organization: str | None) -> None:
        try:
            self._recorded = recorded(urn, organization)
        except RecordError as error:
            self._recorded, self._note = {}, f" ({error})"

    def _count(self, args: ResourceValidationArgs) -> int:
        declared = declaration(args.resource_type, received(args.props))
        if declared is None:
            return 0
        known = self._recorded or {}
        urns = (args.urn, *args.opts.aliases)
        before = next((known[urn] for urn in urns if urn in known), None)
        service = service_of(received(args.provider.props) if args.provider else {})
        own = starts(args.resource_type, before, declared, service)
        self._starts[args.urn] = own
        return own
