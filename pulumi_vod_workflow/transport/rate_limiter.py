"""The rate limiter of the process: runs, batches and waits share it."""

# The page (注意事项: 本接口的单用户 QPS) and vod-api-facts 7: each action has its own limit.
# Throttling of starts may be about the whole account, so reads are slow while starts wait.

from __future__ import annotations

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field, replace
from typing import Final
from weakref import WeakKeyDictionary

from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.core.rate import AdaptiveRate

# vod-api-facts 4: a late retry may be paid again, so it precedes new starts.
HIGH_PRIORITY: Final = 0
"""The priority of a retry of a start with an unknown outcome."""
NORMAL_PRIORITY: Final = 1
"""The priority of all other requests."""

# This is shorter than each window of `AdaptiveRate.burst_window`, so a permit is never early by a
# whole window. The shortest one has 0.51 s: 1 request at just under 2 a second.
MAX_PREPARATION_TIME: Final = 0.5
"""The longest time between a permit and its send that the limiter makes up for, in seconds."""

# Each send that is later than due delays the send after the next 50. So the limiter remembers the
# slowest of some hundred claims; a permit that is too early costs nothing.
PREPARATION_DECAY: Final = 0.998
"""The part of the preparation time that remains after a faster preparation."""


@dataclass(eq=False, slots=True)
class Permit:
    """The permission to send one request, with the time of the send."""

    granted_at: float
    """The time of the permit, in seconds of the event loop's clock, as all its times."""
    due_at: float
    """The earliest time of the send."""
    # The service counts arrivals, and a new connection takes time. So the limiter counts from the
    # send, not from the permit.
    sent_at: float | None = None
    """The time of the send."""

    def mark_sent(self) -> None:
        """Record the time of the send; later calls have no effect."""
        if self.sent_at is None:
            self.sent_at = asyncio.get_running_loop().time()

    def counts_at(self, now: float) -> float:
        """Return the time at which the service counts the request, if it is sent at once."""
        return max(now, self.due_at) if self.sent_at is None else self.sent_at


@dataclass(order=True, slots=True)
class _Waiter:
    priority: int
    number: int
    woken: asyncio.Event = field(compare=False, default_factory=asyncio.Event)


class OperationLimiter:
    """
    The limiter of one action in a `RateLimiter`; its `AdaptiveRate` is the rate of its permits.

    Permits go by priority, then by order of request. A request that is prepared after its permit
    gets the permit early: the journal's claim of a start does not lower the rate.
    """

    def __init__(self, limiter: RateLimiter, action: str, allowed: float) -> None:
        self.rate = AdaptiveRate(allowed)
        self._limiter = limiter
        self._is_start = action == START_WORKFLOW
        self._numbers = itertools.count()
        self._waiters: list[_Waiter] = []
        self._permits: list[Permit] = []
        self._next_at = 0.0
        self.preparation_time = 0.0
        """The recent time between a permit and the end of its preparation, in seconds."""

    async def acquire(self, priority: int) -> Permit:
        """Wait until a request may be prepared, and return its permit; see `wait_until_due`."""
        ticket = _Waiter(priority, next(self._numbers))
        heapq.heappush(self._waiters, ticket)
        try:
            while True:
                ticket.woken.clear()
                first = self._waiters[0] is ticket
                granted = self._try_acquire() if first else None
                if isinstance(granted, Permit):
                    return granted
                try:
                    async with asyncio.timeout(granted):
                        await ticket.woken.wait()
                except TimeoutError:
                    pass
        finally:
            self._waiters.remove(ticket)
            heapq.heapify(self._waiters)
            self.wake_next()
            if self._is_start and not self._waiters:
                self._limiter.wake_all()  # reads may be faster now

    async def wait_until_due(self, permit: Permit) -> None:
        """Wait until a prepared request may be sent."""
        now = _now()
        latest = min(now - permit.granted_at, MAX_PREPARATION_TIME)
        if latest > self.preparation_time:
            self.wake_next()  # its permit may be earlier now
        self.preparation_time = max(latest, self.preparation_time * PREPARATION_DECAY)
        if permit.due_at > now:
            await asyncio.sleep(permit.due_at - now)

    def release(self, permit: Permit) -> None:
        """Return the permit of a request that was not sent."""
        if permit.sent_at is None and permit in self._permits:
            self._permits.remove(permit)
            self.wake_next()

    def slow_to(self, allowed: float) -> None:
        """Lower the rate; a higher one has no effect."""
        if allowed < self.rate.allowed:
            self.rate = replace(self.rate, allowed=allowed)

    def on_throttled(self) -> None:
        """Lower the rate after the service has throttled a request."""
        self.rate = self.rate.on_throttled(_now())

    @property
    def is_throttled(self) -> bool:
        """Whether requests wait because the service throttles."""
        return bool(self._waiters) and self.rate.at(_now()) < self.rate.allowed

    def wake_next(self) -> None:
        """Wake the first waiter."""
        if self._waiters:
            self._waiters[0].woken.set()

    def _try_acquire(self) -> Permit | float:
        """Return a permit, or the seconds until one is free."""
        now = _now()
        rate = self.rate
        if not self._is_start and self._limiter.starts_are_throttled:
            rate = AdaptiveRate(rate.allowed * AdaptiveRate.MIN_FRACTION)
        count, period = rate.burst_window(now)
        times = sorted(permit.counts_at(now) for permit in self._permits)
        free_at = times[-count] + period if len(times) >= count else now
        due_at = max(now, free_at, self._next_at)
        # The service counts a send one claim after its permit. Without an early permit, a second
        # would last as long as a second and a claim.
        delay = due_at - now - self.preparation_time
        if delay > 0:
            return delay
        permit = Permit(now, due_at)
        since = now - period
        self._permits = [*(item for item in self._permits if item.counts_at(now) > since), permit]
        self._next_at = due_at + rate.min_spacing(now)
        return permit


def _now() -> float:
    return asyncio.get_running_loop().time()


class RateLimiter:
    """The limiters of one event loop: an `OperationLimiter` for each action."""

    def __init__(self) -> None:
        self._operations: dict[str, OperationLimiter] = {}

    def operation(self, action: str, allowed: float) -> OperationLimiter:
        """Return an action's limiter, with the lowest rate of all clients."""
        pace = self._operations.setdefault(action, OperationLimiter(self, action, allowed))
        pace.slow_to(allowed)
        return pace

    def on_throttled(self, action: str) -> None:
        """Lower the rate of an action, and of all actions if it is StartWorkflow."""
        for name, pace in self._operations.items():
            if action in {name, START_WORKFLOW}:
                pace.on_throttled()

    def wake_all(self) -> None:
        """Wake the first waiter of each action."""
        for pace in self._operations.values():
            pace.wake_next()

    @property
    def starts_are_throttled(self) -> bool:
        """Whether starts wait because the service throttles."""
        return START_WORKFLOW in self._operations and self._operations[START_WORKFLOW].is_throttled


_limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, RateLimiter] = WeakKeyDictionary()


def rate_limiter() -> RateLimiter:
    """Return the limiter of the running event loop."""
    return _limiters.setdefault(asyncio.get_running_loop(), RateLimiter())
