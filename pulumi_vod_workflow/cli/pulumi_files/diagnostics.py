"""
The provider's part of a preview: plan messages, which count, and texts, which are only shown.

The engine does not record the origin of a line. A program can log a line with the URN of any
resource, and a line may repeat text that a program has read from elsewhere. So the review uses a
message only after three checks: the whole line is the message, its fingerprint is that of the
engine's step, and its items are those of the step. A message can lower a count only with a
fingerprint of ClientTokens, or beside the provider's own message. Of several messages, the review
uses the one with the most starts, and its durations only if all have the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from pulumi_vod_workflow.cli.pulumi_files.preview import (
    UPDATES,
    Diagnostic,
    Preview,
    PreviewError,
    Step,
)
from pulumi_vod_workflow.core.plan_message import (
    NewerVersionError,
    Operation,
    PlanMessage,
    declaration_fingerprint,
    parse_plan_message,
)
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.values import UNKNOWN


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """The provider's lines about one resource."""

    plan: PlanMessage | None = None
    """The message about the engine's step, if there is one."""
    warnings: tuple[str, ...] = ()
    """Texts for people, which decide nothing."""


def reports_by_urn(preview: Preview, steps: Mapping[str, Step]) -> dict[str, ProviderReport]:
    """
    Return the report about each step.

    Raises:
        PreviewError: when a newer version of the provider wrote a message.

    """
    lines: dict[str, list[Diagnostic]] = defaultdict(list)
    for line in preview.diagnostics:
        lines[line.urn].append(line)
    return {urn: _report(step, lines.get(urn, ())) for urn, step in steps.items()}


def _report(step: Step, lines: Collection[Diagnostic]) -> ProviderReport:
    if step.type not in (RUN_TYPE, BATCH_TYPE):
        return ProviderReport()
    warnings = (line for line in lines if line.severity == "warning" and line.is_shown)
    return ProviderReport(
        _plan_of(step, (line.text for line in lines)),
        tuple(line.text.removeprefix("warning: ") for line in warnings),
    )


def _plan_of(step: Step, texts: Iterable[str]) -> PlanMessage | None:
    """
    Return the message about a step.

    Raises:
        PreviewError: when a newer version of the provider wrote a message.

    """
    operation = Operation.UPDATE if step.op in UPDATES else Operation.CREATE
    items = step.declared.get("items")
    fingerprint = declaration_fingerprint(step.urn, step.declared)
    found: list[PlanMessage] = []
    for text in texts:
        try:
            message = parse_plan_message(text)
        except NewerVersionError as error:
            raise PreviewError(
                f"A newer version of pulumi_vod_workflow made this preview ({error}).\n"
                "hint: Run the review with the version that the program uses."
            ) from None
        if message is not None and isinstance(items, Mapping):
            message = message.with_all_keys(items)
        if (
            message is not None
            and message.operation is operation
            and message.fingerprint == fingerprint
            and _fits(message, step)
            and _durations_fit(message, step)
        ):
            found.append(message)
    chosen = max(found, key=_start_count, default=None)
    if chosen is None or not chosen.durations:
        return chosen
    # A shorter duration lowers the estimate, and no count shows the provider's own message.
    is_one = all(message.durations == chosen.durations for message in found)
    return chosen if is_one and _has_tokens(step) else replace(chosen, durations=())


def _has_tokens(step: Step) -> bool:
    """Return whether the fingerprint of a step binds a message to its inputs."""
    tokens = step.declared.get("clientTokens", {"": step.declared.get("clientToken")})
    return isinstance(tokens, Mapping) and any(isinstance(each, str) for each in tokens.values())


def _start_count(message: PlanMessage) -> float:
    return math.inf if message.start_count is None else message.start_count


def _fits(message: PlanMessage, step: Step) -> bool:
    """Return whether a message is about the items that a step declares."""
    declared = step.declared
    is_secret = declared.get("secretInputs") is True
    if step.type == RUN_TYPE:
        return message.total == 1
    items, tokens = declared.get("items"), declared.get("clientTokens")
    # A new batch starts, reuses or adopts every item, so no message hides an item.
    decided = sum(one.count for one in (message.reuses, message.adopts)) + sum(
        group.items.count for group in message.starts
    )
    if message.operation is Operation.CREATE and message.total not in (None, decided):
        return False
    if not isinstance(items, Mapping):
        return (message.total is None) == (items is UNKNOWN)
    sets = (*(group.items for group in message.starts), message.reuses, message.adopts)
    if message.total != len(items) or any(key not in items for one in sets for key in one.keys):
        return False
    if is_secret:  # the provider's own message is always there, too
        return True
    named = {key for key, item in items.items() if _names_run(item)}
    known = {*tokens} if isinstance(tokens, Mapping) else set()
    return (
        message.adopts.count <= len(named)
        and named.issuperset(message.adopts.keys)
        and message.reuses.count <= len(known)
        and known.issuperset(message.reuses.keys)
    )


def _durations_fit(message: PlanMessage, step: Step) -> bool:
    """Return whether the durations of a message can be the provider's."""
    keys = [group.items.keys for group in message.durations]
    # With secret inputs the provider sends none, and the fingerprint covers the URN only.
    if keys and step.declared.get("secretInputs") is True:
        return False
    return not any(keys) if step.type == RUN_TYPE else all(keys)


def _names_run(item: object) -> bool:
    """Return whether an item of a batch has an existing run to adopt."""
    return isinstance(item, Mapping) and item.get("existingRunId") not in (None, UNKNOWN)


def endpoint_lines(preview: Preview) -> tuple[str, ...]:
    """Return the provider's lines about the whole operation: endpoint of new runs, warnings."""
    found = (line.text for line in preview.diagnostics if not line.urn and line.is_shown)
    starts = "vod: ", "warning: vod: "
    return tuple(dict.fromkeys(text for text in found if text.startswith(starts)))
