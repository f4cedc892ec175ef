"""The base of the policies: checked settings, checked declarations, reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE, canonical_type
from pulumi_vod_workflow.errors import ConfigurationError
from vod_policies.declared import Inputs, declaration, received


class VodPolicy(ResourceValidationPolicy):
    """
    A policy for declared runs and batches.

    Args:
        name: the name in the configuration.
        description: the requirement and its reason.
        settings: JSON schema of each setting.
        level: the enforcement level, if the configuration has none.

    """

    def __init__(
        self,
        name: str,
        description: str,
        settings: Mapping[str, Mapping[str, Any]],
        level: EnforcementLevel = EnforcementLevel.MANDATORY,
    ) -> None:
        schema = PolicyConfigSchema({key: dict(value) for key, value in settings.items()})
        super().__init__(name, description, enforcement_level=level, config_schema=schema)
        self._settings = sorted(settings)

    def validate(self, args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        """Report the violations of a resource, and errors of the policy's configuration."""
        kind = canonical_type(args.resource_type)
        if kind not in {RUN_TYPE, BATCH_TYPE}:
            return
        mistyped = sorted(set(args.get_config()) - set(self._settings))
        if mistyped:  # the engine accepts unknown settings
            known = ", ".join(self._settings) or "none"
            text = f"{', '.join(mistyped)}: unknown; the settings of {self.name} are: {known}"
            report_violation(f"invalid configuration of the policy pack: {text}", None)
        declared = declaration(kind, received(args.props))
        if declared is None:
            return
        try:
            for message in self.judge(args, declared):
                report_violation(message, None)
        except ConfigurationError as error:
            text = f"{self.name}: {error}"
            report_violation(f"invalid configuration of the policy pack: {text}", None)

    def judge(self, args: ResourceValidationArgs, declared: Inputs) -> Iterable[str]:
        """Yield a message for each violation: path, problem, and the way to comply."""
        raise NotImplementedError
