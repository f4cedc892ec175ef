"""When a failed call is repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.retry import Attempts, RetryPolicy
from pulumi_vod_workflow.errors import (
    AuthenticationError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    ServiceFailureError,
    ThrottledError,
    TransportError,
    VodWorkflowError,
)

POLICY = RetryPolicy()
START, READ = "StartWorkflow", "GetWorkflowExecution"


def throttled(retry_after: float | None = None) -> ThrottledError:
    return ThrottledError(
        START, code="RequestLimitExceeded", message="", http_status=429, retry_after=retry_after,
        retryable=True,
    )  # fmt: skip


def failed(*, maybe: bool = True) -> ServiceFailureError:
    return ServiceFailureError(
        START, code="InternalError", message="", http_status=500, maybe_accepted=maybe,
        retryable=True,
    )  # fmt: skip


def network(*, sent: bool, retryable: bool = True, refused: bool = False) -> TransportError:
    return TransportError(
        START, "x", maybe_accepted=sent, retryable=retryable, sent=sent, refused=refused
    )


def last_moment(operation: str, error: VodWorkflowError, *, unclear: bool = False) -> float:
    """Return the latest second at which the policy still repeats."""
    moments = [
        second
        for second in range(700)
        if POLICY.next_delay(
            operation, error, Attempts(9, second, second if unclear else None), 0.0
        )
        is not None
    ]
    assert moments == list(range(len(moments)))
    return moments[-1] if moments else -1


@pytest.mark.parametrize(
    ("operation", "error", "unclear", "seconds"),
    [
        (START, throttled(), False, 600),
        (START, failed(maybe=False), False, 600),
        (START, network(sent=False), False, 20),
        (START, network(sent=False, refused=True), False, 5),
        (START, failed(), True, 4),
        (START, network(sent=True), True, 4),
        (START, throttled(), True, 4),
        (START, network(sent=False), True, 4),
        (READ, throttled(), False, 60),
        (READ, failed(maybe=False), False, 60),
        (READ, network(sent=True), False, 60),
        (READ, network(sent=False), False, 20),
        (READ, network(sent=False, refused=True), False, 5),
        (READ, failed(maybe=False), True, 60),
    ],
)
def test_each_kind_of_failure_has_its_bound(
    operation: str, error: VodWorkflowError, unclear: bool, seconds: float
) -> None:
    """A sure refusal can be waited out; an unclear start is repeated promptly or not at all."""
    assert last_moment(operation, error, unclear=unclear) == seconds


@pytest.mark.parametrize(
    "kind", [AuthenticationError, PermissionDeniedError, InvalidRequestError, NotFoundError]
)
@pytest.mark.parametrize("operation", [START, READ])
def test_refusals_are_not_repeated(kind: type[InvalidRequestError], operation: str) -> None:
    """What a repeat cannot change is told at once."""
    error = kind(operation, code="x", message="", http_status=400)
    assert POLICY.next_delay(operation, error, Attempts(1, 0.0), 0.5) is None
    assert (
        POLICY.next_delay(START, network(sent=False, retryable=False), Attempts(1, 0), 0.5) is None
    )


def test_the_wait_grows_to_a_ceiling() -> None:
    """Half a second, doubling, at most fifteen; one for an unclear start."""
    waits = [POLICY.next_delay(START, throttled(), Attempts(n, 0), 1.0) for n in range(1, 8)]
    assert waits == [0.5, 1, 2, 4, 8, 15, 15]
    prompt = [POLICY.next_delay(START, failed(), Attempts(n, 0, 0), 1.0) for n in range(1, 6)]
    assert prompt == [0.5, 1, 1, 1, 1]


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_jitter_is_full(count: int, jitter: float) -> None:
    """Callers that failed together come back at any moment up to the bound, not together."""
    wait = POLICY.next_delay(READ, throttled(), Attempts(count, 0), jitter)
    most = POLICY.next_delay(READ, throttled(), Attempts(count, 0), 1.0)
    assert wait is not None
    assert most is not None
    assert wait == pytest.approx(jitter * most)


def test_retry_after_is_honoured_or_the_call_fails() -> None:
    """The service is never asked again before it said, nor waited for beyond the bound."""
    wait = POLICY.next_delay(START, throttled(30), Attempts(1, 0), 1.0)
    assert wait == 30.5
    assert POLICY.next_delay(START, throttled(601), Attempts(1, 0), 0.0) is None
    assert POLICY.next_delay(READ, throttled(61), Attempts(1, 0), 0.0) is None
    assert POLICY.next_delay(START, throttled(3), Attempts(2, 1, 1), 0.0) == 3
    assert POLICY.next_delay(START, throttled(3), Attempts(2, 2, 2), 0.0) is None
    assert POLICY.next_delay(START, throttled(float("inf")), Attempts(1, 0), 0.0) is None


def test_an_answer_of_garbage_is_repeated_like_a_failure() -> None:
    """A page from a proxy says nothing about the start."""
    error = MalformedResponseError(START, "x", maybe_accepted=True, retryable=True)
    assert last_moment(START, error, unclear=True) == 4


def test_bounds_can_be_set() -> None:
    """The numbers are the policy's, not the rule's."""
    brief = RetryPolicy(
        rejected_start_budget=1, read_budget=1, ambiguous_start_budget=1, unreachable_budget=1
    )
    for error in (throttled(), network(sent=False)):
        assert brief.next_delay(START, error, Attempts(1, 1), 0.0) == 0
        assert brief.next_delay(START, error, Attempts(1, 1.1), 0.0) is None


@pytest.mark.parametrize(
    ("age", "seconds"),
    [
        (-60, 1),  # made by a service whose clock is ahead
        (0, 1),
        (9, 1),
        (10, 1),
        (60, 6),
        (299, 29.9),
        (300, 30),
        (86_400, 30),
        (float("inf"), 30),
    ],
)
def test_a_run_is_asked_about_by_its_age(age: float, seconds: float) -> None:
    """A tenth of it, between a second and half a minute."""
    assert PollPolicy().interval(age) == pytest.approx(seconds)


@given(st.floats(0, 3600))
def test_an_end_is_seen_soon_and_the_questions_are_few(end: float) -> None:
    """Within a tenth of the run's age, a second or half a minute; and for at most 160 questions."""
    moment, questions = 0.0, 1
    while moment < end:
        moment += PollPolicy().interval(moment)
        questions += 1
        assert questions <= 160
    assert moment - end <= min(30, max(1, 0.1 * end)) + 1e-6


def test_the_bounds_of_asking_can_be_set() -> None:
    """The numbers are the policy's, not the rule's."""
    policy = PollPolicy(min_interval=0.1, max_interval=2, age_fraction=0.5)
    assert [policy.interval(age) for age in (0, 1, 100)] == [0.1, 0.5, 2]
