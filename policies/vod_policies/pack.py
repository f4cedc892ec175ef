"""The policies: names, settings with their defaults, and ways to comply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pulumi_policy import EnforcementLevel, Policy, ResourceValidationArgs

from pulumi_vod_workflow.core.resource_types import canonical_type
from pulumi_vod_workflow.errors import Problem
from vod_policies import rules
from vod_policies.cost import AtMostCost
from vod_policies.declared import Inputs, problems
from vod_policies.personal import KINDS, patterns
from vod_policies.policy import VodPolicy
from vod_policies.starts import AtMostStarts


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that a rule can use beside a run's inputs."""

    config: Mapping[str, Any]
    """The policy's settings."""
    stack: str
    """The stack's name, without organization and project."""
    now: datetime


class RunPolicy(VodPolicy):
    """
    A policy that applies a rule to each declared start, of a run or of an item of a batch.

    Args:
        name: the name in the configuration.
        description: the requirement and its reason.
        rule: a function that yields the violations of a run.
        comply: the way to comply, in one sentence.
        settings: JSON schema of each setting.

    """

    def __init__(
        self,
        name: str,
        description: str,
        rule: Callable[[Inputs, Facts], Iterable[Problem]],
        comply: str,
        settings: Mapping[str, Mapping[str, Any]],
    ) -> None:
        super().__init__(name, description, settings)
        self._rule = rule
        self._comply = comply

    def judge(self, args: ResourceValidationArgs, declared: Inputs) -> Iterator[str]:
        """Yield a message for each violation, with its path; equal ones once."""
        stack = args.urn.split("::")[0].removeprefix("urn:pulumi:")
        facts = Facts(args.get_config(), stack, datetime.now(UTC))
        for problem in problems(
            canonical_type(args.resource_type),
            declared,
            lambda inputs: self._rule(inputs, facts),
        ):
            yield f"{problem}. {self._comply}"


class Protected(VodPolicy):
    """A policy that requires protected runs and batches."""

    def judge(self, args: ResourceValidationArgs, _declared: Inputs) -> Iterator[str]:
        """Yield a message if the resource is not protected."""
        if not args.opts.protect:
            yield "the resource is not protected. Set opts=pulumi.ResourceOptions(protect=True)."


def _templates(inputs: Inputs, facts: Facts) -> Iterable[Problem]:
    allowed = facts.config.get("templates")
    return () if allowed is None else rules.allowed_templates(inputs, allowed)


def _spaces(inputs: Inputs, facts: Facts) -> Iterable[Problem]:
    allowed = facts.config.get("spaces")
    if allowed is None:
        return ()
    return rules.allowed_spaces(inputs, allowed, allow_vid=facts.config["allowVid"])


def _priority(inputs: Inputs, facts: Facts) -> Iterable[Problem]:
    production, most = facts.config["production"], int(facts.config["max"])
    return rules.no_high_priority(inputs, facts.stack, production, most)


def _triggers(inputs: Inputs, facts: Facts) -> Iterable[Problem]:
    within = timedelta(minutes=facts.config["withinMinutes"])
    return rules.no_time_based_triggers(inputs, facts.now, within)


def _personal(inputs: Inputs, facts: Facts) -> Iterable[Problem]:
    chosen = patterns(facts.config["kinds"], facts.config["patterns"])
    return rules.no_personal_data(inputs, chosen)


NAMES: Final = {"type": "array", "items": {"type": "string"}}
POLICIES: Final[list[Policy]] = [
    AtMostStarts(),
    AtMostCost(),
    RunPolicy(
        "allowed-templates",
        "Runs use allowed workflows only.",
        _templates,
        "Use one of them, or add the workflow to `templates` of allowed-templates in the policy "
        "pack's configuration.",
        {"templates": NAMES},
    ),
    RunPolicy(
        "allowed-spaces",
        "Sources are in allowed spaces only.",
        _spaces,
        "Use a source of an allowed space by `direct_url` with its `space_name`, or "
        "change `spaces` or `allowVid` of allowed-spaces in the policy pack's configuration.",
        {"spaces": NAMES, "allowVid": {"type": "boolean", "default": True}},
    ),
    RunPolicy(
        "no-high-priority",
        "The front of the queue is for production.",
        _priority,
        "Lower or remove `priority`, or change `max` or `production` of no-high-priority in the "
        "policy pack's configuration.",
        {
            "max": {"type": "integer", "minimum": -5, "maximum": 5, "default": 0},
            "production": {**NAMES, "default": ["prod", "production", "prod-*", "*-prod"]},
        },
    ),
    RunPolicy(
        "no-time-based-triggers",
        "Triggers do not depend on the clock: each change of a trigger is a new, paid run.",
        _triggers,
        "Use a value that changes with the content or on purpose: the source's ETag or version, a "
        "release number, a commit.",
        {"withinMinutes": {"type": "number", "minimum": 0, "maximum": 525600, "default": 60}},
    ),
    RunPolicy(
        "no-personal-data",
        "Callback args have no personal data: the service sends them to logs and event receivers.",
        _personal,
        "Send an id of your own that the receiver can look up, or change `kinds` or `patterns` of "
        "no-personal-data in the policy pack's configuration.",
        {
            "kinds": {
                "type": "array",
                "items": {"type": "string", "enum": [*KINDS]},
                "default": [*KINDS],
            },
            "patterns": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "default": {},
            },
        },
    ),
    Protected(
        "runs-protected",
        "Runs and batches are protected, so that no mistake removes a paid run from the state.",
        {},
        EnforcementLevel.ADVISORY,
    ),
]
"""All policies; the defaults of the settings are in the schemas and in README.md."""
