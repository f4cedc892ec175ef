"""Which failed read of a run is the last one."""

from __future__ import annotations

from pulumi_vod_workflow.errors import CallError, NotFoundError
from pulumi_vod_workflow.lifecycle.reader import MAX_NOT_FOUND_READS, FailedReads

NOT_FOUND = NotFoundError("GetWorkflowExecution", code="x", message="", http_status=404)


def test_a_new_run_may_be_found_late() -> None:
    """Only successive reads count, and those of the same run."""
    reads = FailedReads()
    for _ in range(2):
        found = [reads.is_final("a", "run-1", NOT_FOUND) for _ in range(MAX_NOT_FOUND_READS - 1)]
        assert not any(found)
        reads.note_success("a")
    assert not reads.is_final("b", "run-2", NOT_FOUND)
    found = [reads.is_final("a", "run-1", NOT_FOUND) for _ in range(MAX_NOT_FOUND_READS)]
    assert found == [False] * (MAX_NOT_FOUND_READS - 1) + [True]


def test_an_emulated_run_is_found_at_once_or_never() -> None:
    assert FailedReads().is_final("a", "emu:1", NOT_FOUND)


def test_another_error_is_final_unless_a_retry_can_help() -> None:
    error = CallError("GetWorkflowExecution", "x", maybe_accepted=False, retryable=False)
    assert FailedReads().is_final("a", "run-1", error)
    error.retryable = True
    assert not FailedReads().is_final("a", "run-1", error)
