"""What the policies share: settings that are known, declarations that can be judged, reports."""

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

from pulumi_vod_workflow.errors import ConfigurationError
from vod_policies.declared import BATCH, RUN, Inputs, declaration, received


class VodPolicy(ResourceValidationPolicy):
    """
    A policy for what runs and batches declare.

    Args:
        name: in the configuration.
        description: what is required, and why.
        settings: JSON schema of each setting.
        level: unless the configuration says otherwise.

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
        """Report what is wrong with a resource, and with the policy's own configuration."""
        if args.resource_type not in {RUN, BATCH}:
            return
        mistyped = sorted(set(args.get_config()) - set(self._settings))
        if mistyped:  # the engine lets it pass
            known = ", ".join(self._settings) or "none"
            told = f"{', '.join(mistyped)}: unknown; the settings of {self.name} are: {known}"
            report_violation(f"The policy pack's configuration is wrong: {told}", None)
        declared = declaration(args.resource_type, received(args.props))
        if declared is None:
            return
        try:
            for message in self.judge(args, declared):
                report_violation(message, None)
        except ConfigurationError as error:
            told = f"{self.name}: {error}"
            report_violation(f"The policy pack's configuration is wrong: {told}", None)

    def judge(self, args: ResourceValidationArgs, declared: Inputs) -> Iterable[str]:
        """Say what is wrong with a declaration, where, and how to comply."""
        raise NotImplementedError
