"""How many runs an operation would start, by the library's own rule, before any of them is."""

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
from pulumi_vod_workflow.errors import AdoptionError, ConfigurationError
from vod_policies.declared import RUN, received
from vod_policies.policy import VodPolicy
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
        return load_settings(texts.get, os.environ, home_folder()).site.service
    except ConfigurationError:
        return None  # the provider refuses it


class AtMostStarts(VodPolicy):
    """
    Refuses the start that is one too many, before it is sent.

    The engine asks before each resource is created, also when there was no preview; so the count
    is kept from resource to resource, and one process serves one operation.
    """

    def __init__(self) -> None:
        super().__init__(
            "at-most-starts",
            "One update starts at most as many runs as are allowed: each is paid and cannot be "
            "cancelled.",
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
        """Read the state with the first resource, the stack: nothing has been done then."""
        with self._lock:
            if self._recorded is None:
                try:
                    self._recorded = recorded(args.urn, args.get_config().get("organization"))
                except RecordError as error:
                    self._recorded, self._note = {}, f" ({error})"
            super().validate(args, report_violation)

    def judge(self, args: ResourceValidationArgs, declared: Properties) -> Iterator[str]:
        """Count a resource's starts, and report it if there are more than are allowed with it."""
        known = self._recorded or {}
        urns = (args.urn, *args.opts.aliases)
        before = next((known[urn] for urn in urns if urn in known), None)
        service = service_of(received(args.provider.props) if args.provider else {})
        own = starts(args.resource_type, before, declared, service)
        self._starts[args.urn] = own
        total, most = sum(self._starts.values()), int(args.get_config()["max"])
        if own and total > most:
            yield (
                f"{own:,} to start here, {total:,} in this update so far; {most:,} are allowed"
                f"{self._note}. Change or add fewer runs at a time (`--target` takes some of the "
                "resources), or raise `max` of at-most-starts in the policy pack's configuration."
            )
