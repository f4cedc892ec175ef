"""The preflight of starts, as runs and batches call it; a preview without it loads no lookups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pulumi_vod_workflow.errors import Problem
from pulumi_vod_workflow.lifecycle.host import Host
from pulumi_vod_workflow.lifecycle.session import Session

if TYPE_CHECKING:
    from pulumi_vod_workflow.core.preflight import GroupedFindings
    from pulumi_vod_workflow.lifecycle.preflight import Facts


async def look_up_starts(
    session: Session, starts: Mapping[str, Mapping[str, Any]], *, are_resent: bool
) -> Facts:
    """
    Look up the workflows and videos of starts; free, and nothing if `vod:preflight` is `off`.

    Args:
        session: the engine operation.
        starts: name -> inputs of starts.
        are_resent: whether an earlier update has sent one of them without an answer.

    """
    # `vod:resendWithin` limits the time of a repeated start: a preflight would use it up.
    if session.settings.preflight == "off" or are_resent:
        return {}
    from pulumi_vod_workflow.lifecycle import preflight  # noqa: PLC0415 - only with the setting

    return await preflight.look_up_starts(session, starts)


def preflight_problems(
    session: Session,
    host: Host,
    starts: Mapping[str, Mapping[str, Any]],
    lookups: Facts,
    group: Callable[[GroupedFindings], Iterable[Problem]],
    *,
    secret: bool,
) -> list[Problem]:
    """
    Report whether the workflows and videos of starts exist, as `vod:preflight` requires.

    Args:
        session: the engine operation.
        host: its logger receives warnings and notes.
        starts: name -> inputs of the starts.
        lookups: the results of `look_up_starts`.
        group: turns findings into problems.
        secret: whether messages must not contain the inputs.

    Returns:
        The problems that reject the starts; empty unless `vod:preflight` is `error`.

    """
    if not lookups:
        return []
    from pulumi_vod_workflow.lifecycle import preflight  # noqa: PLC0415 - only with the setting

    return preflight.preflight_problems(session, host, starts, lookups, group, secret=secret)
