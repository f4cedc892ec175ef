"""The message of a failed operation: no traceback, no cause, no secret."""

from __future__ import annotations

import traceback
from pathlib import Path

from pulumi_vod_workflow.core.text import defect_summary
from pulumi_vod_workflow.errors import VodWorkflowError, start_hint


def error_message(operation: str, error: Exception, *, may_start_runs: bool) -> str:
    """
    Return the message of an operation's error.

    For a defect of this package, the message has the error's class and place, but no values.
    """
    if isinstance(error, VodWorkflowError):
        return str(error)
    trace = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in trace[:-6:-1])
    outcome = (
        start_hint(maybe_accepted=True, retryable=True) if may_start_runs else "No run was started."
    )
    return (
        f"{operation} failed by {defect_summary(error)}, not of your program.\n{outcome}\n"
        f"hint: report the defect with this line: {type(error).__name__} at {places}"
    )
