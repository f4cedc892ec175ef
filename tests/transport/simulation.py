"""
Simulated time, and jobs in it that share one account: no network, but the real limiter and retries.

The service accepts at most 50 starts in any second, and answers after 0.15 to 0.35 s. It counts no
rejected request (journal-facts 8).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.core.rate import DEFAULT_RATE
from pulumi_vod_workflow.core.retry import Attempts, RetryPolicy
from pulumi_vod_workflow.errors import ThrottledError
from pulumi_vod_workflow.lifecycle.bulk import MAX_CONCURRENT_CALLS
from pulumi_vod_workflow.transport.rate_limiter import NORMAL_PRIORITY, RateLimiter

ACCOUNT_RATE: Final = 50
"""The starts that the service accepts in any second."""
ANSWER_TIME: Final = (0.15, 0.35)
"""The shortest and the longest time of an answer, in seconds."""
UNEVENNESS: Final = 0.03
"""The longest time of a request on its way, in seconds."""
THROTTLED: Final = ThrottledError(
    START_WORKFLOW, code="RequestLimitExceeded", message="", http_status=429, retryable=True
)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """
    An event loop whose time passes at once when all tasks wait.

    Each turn of the loop takes a microsecond, so a timer of less does not repeat for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        selector: Any = self._selector  # type: ignore[attr-defined]
        select = selector.select

        def pass_time(timeout: float | None) -> Any:
            self._now += max(timeout or 0.0, 1e-6)
            return select(0)

        selector.select = pass_time

    def time(self) -> float:
        """Return the simulated time, in seconds."""
        return self._now


class SimulatedClock:
    """The clock of a `SimulatedLoop`, for code that runs in it."""

    def now(self) -> datetime:
        """Return the simulated time in UTC."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the simulated time, in seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of simulated seconds."""
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class Account:
    """The service's side of an account, and what it has seen."""

    rejected_request: int | None = None
    """The number of a request that the service rejects in any case."""
    requests: int = 0
    rejected: int = 0
    accepted: list[float] = field(default_factory=list)
    """The times of the accepted starts, in seconds."""
    given_up: int = 0
    """The number of starts that their job gave up."""
    _last_second: deque[float] = field(default_factory=deque)

    def accepts(self, now: float) -> bool:
        """Count a request, and return whether the service accepts it."""
        self.requests += 1
        while self._last_second and self._last_second[0] <= now - 1:
            self._last_second.popleft()
        if len(self._last_second) >= ACCOUNT_RATE or self.requests == self.rejected_request:
            self.rejected += 1
            return False
        self._last_second.append(now)
        self.accepted.append(now)
        return True

    @property
    def time_beside_ideal(self) -> float:
        """The time from the first to the last accepted start, beside the time at the full rate."""
        return (self.accepted[-1] - self.accepted[0]) / (len(self.accepted) / ACCOUNT_RATE)

    @property
    def rejected_part(self) -> float:
        """The part of the requests that the service rejected."""
        return self.rejected / self.requests


def simulate(
    jobs: int,
    starts: int,
    *,
    rate: float = DEFAULT_RATE,
    seed: int = 1,
    rejected_request: int | None = None,
) -> Account:
    """
    Simulate jobs that begin at the same time.

    Args:
        jobs: the number of jobs, each with its own limiter.
        starts: the number of starts of each job.
        rate: the `vod:requestsPerSecond` of each job.
        seed: the seed of the times on the way, the times of answers and the retry delays.
        rejected_request: the number of a request that the service rejects in any case.

    """
    account = Account(rejected_request)
    generator = random.Random(seed)

    async def run_jobs() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(jobs):
                limiter = RateLimiter()
                remaining = iter(range(starts))
                for _ in range(MAX_CONCURRENT_CALLS):
                    tasks.create_task(_worker(account, limiter, rate, remaining, generator))

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(run_jobs())
    return account


async def _worker(
    account: Account, limiter: RateLimiter, rate: float, remaining: Any, generator: random.Random
) -> None:
    for _ in remaining:
        await _start(account, limiter, rate, generator)


async def _start(
    account: Account, limiter: RateLimiter, rate: float, generator: random.Random
) -> None:
    """Send a start until the service accepts it, as `VodClient.call` does."""
    now = asyncio.get_running_loop().time
    operation = limiter.operation(START_WORKFLOW, rate)
    policy, count, begun = RetryPolicy(), 0, 0.0
    while True:
        permit = await operation.acquire(NORMAL_PRIORITY)
        begun = begun if count else now()
        count += 1
        permit.mark_sent()
        on_its_way = generator.uniform(0, UNEVENNESS)
        await asyncio.sleep(on_its_way)
        accepted = account.accepts(now())
        await asyncio.sleep(generator.uniform(*ANSWER_TIME) - on_its_way)
        if accepted:
            return
        limiter.on_throttled(START_WORKFLOW)
        attempts = Attempts(count, now() - begun)
        delay = policy.next_delay(START_WORKFLOW, THROTTLED, attempts, generator.random())
        if delay is None:
            account.given_up += 1
            return
        await asyncio.sleep(delay)
