"""
One limiter for the process: runs, batches and waits take their turns here.

How fast is `core.policy.Rate`'s decision; this waits. Each action has the service's limit of its
own (page, 注意事项: 本接口的单用户 QPS; facts 7). Starts go before reads: while starts are held up
by the service's objections, which may be about the account as a whole, reads only trickle.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field, replace
from typing import Final
from weakref import WeakKeyDictionary

from pulumi_vod_workflow.core.rate import AdaptiveRate
from pulumi_vod_workflow.core.retry import START_WORKFLOW

HIGH_PRIORITY: Final = 0
"""A repeat whose run may have started: late, it would be paid again."""
NORMAL_PRIORITY: Final = 1


@dataclass(eq=False, slots=True)
class Permit:
    """
    The right to send one request, and when it was sent.

    It counts from then, not from when it was given: a new connection takes a while, and the
    service counts what arrives.
    """

    sent_at: float | None = None
    """On the event loop's clock."""

    def sent(self) -> None:
        """Tell that the request is on its way; only the first time counts."""
        if self.sent_at is None:
            self.sent_at = asyncio.get_running_loop().time()


@dataclass(order=True, slots=True)
class _Waiter:
    priority: int
    number: int
    woken: asyncio.Event = field(compare=False, default_factory=asyncio.Event)


class OperationLimiter:
    """The turns of one action, the most urgent first, then in the order of asking."""

    def __init__(self, limiter: RateLimiter, action: str, allowed: float) -> None:
        self.rate = AdaptiveRate(allowed)
        self._limiter = limiter
        self._starts = action == START_WORKFLOW
        self._numbers = itertools.count()
        self._waiting: list[_Waiter] = []
        self._given: list[Permit] = []
        self._next = 0.0

    async def acquire(self, urgency: int) -> Permit:
        """Return when a request may be sent."""
        ticket = _Waiter(urgency, next(self._numbers))
        heapq.heappush(self._waiting, ticket)
        try:
            while True:
                ticket.woken.clear()
                first = self._waiting[0] is ticket
                delay = self._try_acquire() if first else None
                if delay == 0:
                    break
                try:
                    async with asyncio.timeout(delay):
                        await ticket.woken.wait()
                except TimeoutError:
                    pass
        finally:
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            self._wake_next()
            if self._starts and not self._waiting:
                self._limiter.wake_all()  # reads may go faster again
        turn = Permit()
        self._given.append(turn)
        return turn

    def release(self, turn: Permit) -> None:
        """Give a turn back whose request was never sent."""
        if turn.sent_at is None and turn in self._given:
            self._given.remove(turn)
            self._wake_next()

    def slow_to(self, allowed: float) -> None:
        """Go at this rate from now on, if it is lower."""
        if allowed < self.rate.allowed:
            self.rate = replace(self.rate, allowed=allowed)

    def on_throttled(self) -> None:
        """Go slower: the service has said that it was too fast."""
        self.rate = self.rate.on_throttled(_now())

    @property
    def is_throttled(self) -> bool:
        """Whether requests wait because the service has objected."""
        return bool(self._waiting) and self.rate.at(_now()) < self.rate.allowed

    def _wake_next(self) -> None:
        """Let who is first look again whether it may go."""
        if self._waiting:
            self._waiting[0].woken.set()

    def _try_acquire(self) -> float:
        """Take the next turn, or return the seconds until there is one."""
        now = _now()
        rate = self.rate
        if not self._starts and self._limiter.starts_are_throttled:
            rate = AdaptiveRate(rate.allowed * AdaptiveRate.MIN_FRACTION)
        count, period = rate.burst_window(now)
        times = sorted(now if turn.sent_at is None else turn.sent_at for turn in self._given)
        free_at = times[-count] + period if len(times) >= count else now
        delay = max(free_at, self._next) - now
        if delay > 0:
            return delay
        self._given = [turn for turn in self._given if _still_counts(turn, now - period)]
        self._next = now + rate.min_spacing(now)
        return 0


def _still_counts(turn: Permit, since: float) -> bool:
    return turn.sent_at is None or turn.sent_at > since


def _now() -> float:
    return asyncio.get_running_loop().time()


class RateLimiter:
    """The paces of all actions; it serves one event loop, as `connect` has one."""

    def __init__(self) -> None:
        self._operations: dict[str, OperationLimiter] = {}

    def operation(self, action: str, allowed: float) -> OperationLimiter:
        """Return an action's pace, at the slowest rate that any client asks for."""
        pace = self._operations.setdefault(action, OperationLimiter(self, action, allowed))
        pace.slow_to(allowed)
        return pace

    def on_throttled(self, action: str) -> None:
        """Go slower; after an objection to a start, with everything."""
        for name, pace in self._operations.items():
            if action in {name, START_WORKFLOW}:
                pace.on_throttled()

    def wake_all(self) -> None:
        """Let all who wait look again whether they may go."""
        for pace in self._operations.values():
            pace._wake_next()

    @property
    def starts_are_throttled(self) -> bool:
        """Whether starts wait because the service has objected."""
        return START_WORKFLOW in self._operations and self._operations[START_WORKFLOW].is_throttled


_limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, RateLimiter] = WeakKeyDictionary()


def rate_limiter() -> RateLimiter:
    """Return the limiter of the running event loop."""
    return _limiters.setdefault(asyncio.get_running_loop(), RateLimiter())
