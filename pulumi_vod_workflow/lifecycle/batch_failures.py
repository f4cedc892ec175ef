"""Texts about items of a batch without a run, and about runs that did not succeed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from pulumi_vod_workflow.core.text import as_one_line, list_names, pluralise
from pulumi_vod_workflow.errors import UNKNOWN_START_OPTIONS, CallError
from pulumi_vod_workflow.lifecycle.failure_limit import FailureLimit
from pulumi_vod_workflow.lifecycle.host import Properties, has_secret_inputs
from pulumi_vod_workflow.lifecycle.starter import StartResults

UNKNOWN_OUTCOMES: Final = (
    "The journal has these starts. The next update sends them again only within "
    "`vod:resendWithin` seconds."
)
UNKNOWN_OUTCOME_HINTS: Final = (
    "hint: look for their runs in the VOD console, then choose for each item\n"
    f"{UNKNOWN_START_OPTIONS}"
)
STOPPED_HINTS: Final = (
    "The state has each run that was started. It is not paid again.\n"
    "hint: correct the cause, then run `pulumi up` again: it sends the other items, tries the "
    "rejected ones again, and counts failures from zero\n"
    "hint: a failed run starts again only after a change, by a trigger or by `rerun_on` (paid)\n"
    "hint: or set a larger `max_failures`"
)
MAX_REASONS_LISTED: Final = 20  # reasons in one message


def failure_reason(error: CallError, declared: Properties) -> str:
    """Return the reason of a failed call in one line, without a message that has secret inputs."""
    if has_secret_inputs(declared):
        error.redact_service_message()
    if error.maybe_accepted:
        return error.description
    return as_one_line(str(error))


def without_request_ids(reasons: Mapping[str, str]) -> dict[str, str]:
    """Return reasons without RequestIds, so that an equal reason does not change the state."""
    return {key: re.sub(r", RequestId [^\]]*", "", reason) for key, reason in reasons.items()}


def failure_report(
    rejected: Mapping[str, str], unclear: Mapping[str, str], total: int, journal_warning: str
) -> str:
    """
    Return the lines about items without a run.

    Args:
        rejected: key -> the reason of a start or an adoption that was rejected.
        unclear: key -> the reason of a start with an unknown outcome.
        total: the number of items to start or to adopt.
        journal_warning: the line about a journal that the next CI runner may not have, or nothing.

    """
    lines: list[str] = []
    if rejected:
        lines += [
            f"not started or adopted: {len(rejected):,} of {total:,} items:",
            *group_by_reason(rejected),
            "The next `pulumi up` tries these items again with their new declaration.",
        ]
    if unclear:
        lines += [
            f"A RUN MAY EXIST, but no RunId came back: {len(unclear):,} of {total:,} items:",
            *group_by_reason(unclear),
            UNKNOWN_OUTCOMES,
            f"{journal_warning}{UNKNOWN_OUTCOME_HINTS}",
        ]
    return "\n".join(lines)


def stop_report(limit: FailureLimit | None, started: StartResults) -> str:
    """Return the lines about starts that the limit did not admit; empty without such starts."""
    if limit is None or not started.not_sent:
        return ""
    accepted = pluralise(len(started.accepted), "item")
    not_sent = pluralise(len(started.not_sent), "item")
    summary = (
        f"stopped {limit.stop_reason}: this update started {accepted} and did not send {not_sent}: "
        f"{list_names(sorted(started.not_sent), 10)}"
    )
    lines = group_by_reason(limit.failed)
    if lines:
        lines.insert(0, f"{pluralise(len(limit.failed), 'run')} did not succeed:")
    return "\n".join([summary, *lines, ""])


def group_by_reason(reasons: Mapping[str, str]) -> list[str]:
    """Return one line for each reason with the keys of its items, the most frequent first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key, reason in sorted(reasons.items()):
        groups[reason].append(key)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[1]))
    shown, more = ordered[:MAX_REASONS_LISTED], ordered[MAX_REASONS_LISTED:]
    lines = [
        f"  - {list_names(keys, 10)}: {reason}".replace(" hint: ", "\n    hint: ")
        for reason, keys in shown
    ]
    if more:
        lines.append(f"  - and {sum(len(keys) for _, keys in more):,} more")
    return lines
