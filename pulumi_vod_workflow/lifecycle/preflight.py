"""
Lookups of the workflows and videos of starts; free, at most once each.

A lookup never raises: its result can be "unavailable". The results live as long as their client,
which is one preview or one update.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final
from weakref import WeakKeyDictionary

import anyio

from pulumi_vod_workflow.core.operations import MAX_VIDS_PER_CALL
from pulumi_vod_workflow.core.preflight import (
    LOOKUP_OPERATIONS,
    Field,
    GroupedFindings,
    LookupResult,
    LookupUnavailable,
    NotFound,
    Reference,
    evaluate,
    references_of,
    video_lookups,
    workflow_lookup,
)
from pulumi_vod_workflow.core.retry import RetryPolicy
from pulumi_vod_workflow.errors import (
    CallError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    Problem,
)
from pulumi_vod_workflow.lifecycle.host import Host
from pulumi_vod_workflow.lifecycle.session import Session
from pulumi_vod_workflow.transport.client import VodClient

LOOKUP_TIMEOUT: Final = 5.0  # seconds for one call, including the wait for the rate limiter
# A preview must stay fast: it retries short failures, and gives up on an unreachable network.
LOOKUP_RETRY_POLICY: Final = RetryPolicy(
    read_budget=2.0, unreachable_budget=0.0, initial_backoff=0.25
)
MAX_IDS_PER_CALL: Final[Mapping[Field, int]] = {"templateId": 1, "vid": MAX_VIDS_PER_CALL}
"""The number of ids that one call of the service accepts, by field."""

Facts = dict[Reference, LookupResult]


async def look_up(client: VodClient, references: Iterable[Reference]) -> Facts:
    """
    Return the result of each lookup, within about `LOOKUP_TIMEOUT`; free, and never raises.

    All calls run at once, within the account's rate. The client's cache has earlier lookups and
    those that are still running.
    """
    return await _caches.setdefault(client, LookupCache()).look_up(client, [*references])


class LookupCache:
    """The lookups of one client."""

    def __init__(self) -> None:
        self._tasks: dict[Reference, asyncio.Task[Facts]] = {}
        self._answer_counts: dict[Field, int] = dict.fromkeys(LOOKUP_OPERATIONS, 0)
        self._unavailable: dict[Field, LookupUnavailable] = {}
        """Field -> the reason for which every further lookup would fail, too."""

    async def look_up(self, client: VodClient, references: Sequence[Reference]) -> Facts:
        """Return the result of each lookup, and make the calls of new ones."""
        for field in LOOKUP_OPERATIONS:
            new = [item for item in references if item.field == field and item not in self._tasks]
            for chunk in _chunks(
                [] if field in self._unavailable else new, MAX_IDS_PER_CALL[field]
            ):
                task = asyncio.create_task(self._call(client, field, chunk))
                self._tasks.update(dict.fromkeys(chunk, task))
        tasks = {self._tasks[item] for item in references if item in self._tasks}
        if tasks:
            await asyncio.wait(tasks)
        return {
            item: self._tasks[item].result()[item]
            if item in self._tasks
            else self._unavailable[item.field]
            for item in references
        }

    async def _call(self, client: VodClient, field: Field, chunk: Sequence[Reference]) -> Facts:
        answers_before = self._answer_counts[field]
        result: LookupResult
        try:
            with anyio.fail_after(LOOKUP_TIMEOUT):
                facts = await LOOKUPS[field](client, chunk)
        except TimeoutError:
            operation = LOOKUP_OPERATIONS[field]
            result = LookupUnavailable(f"{operation}: no answer within {LOOKUP_TIMEOUT:.0f} s")
            # A service that has answered another lookup meanwhile is only busy.
            if self._answer_counts[field] == answers_before:
                self._unavailable.setdefault(field, result)
        except CallError as error:
            result = LookupUnavailable(f"{error.operation}: {error.summary}")
            if not isinstance(error, (NotFoundError, InvalidRequestError)):
                self._unavailable.setdefault(field, result)
        else:
            self._answer_counts[field] += 1
            return facts
        return dict.fromkeys(chunk, result)


async def _workflow(client: VodClient, chunk: Sequence[Reference]) -> Facts:
    [reference] = chunk
    try:
        answer = await client.get_workflow_template(reference.id, LOOKUP_RETRY_POLICY)
    except NotFoundError as error:
        return {reference: NotFound(f"{error.operation}: {error.summary}")}
    return {reference: workflow_lookup(answer.result)}


async def _videos(client: VodClient, chunk: Sequence[Reference]) -> Facts:
    answer = await client.get_media_infos([item.id for item in chunk], LOOKUP_RETRY_POLICY)
    facts = video_lookups([item.id for item in chunk], answer.result, answer.request_id)
    return {item: facts[item.id] for item in chunk}


LOOKUPS: Final[Mapping[Field, Callable[[VodClient, Sequence[Reference]], Awaitable[Facts]]]] = {
    "templateId": _workflow,
    "vid": _videos,
}


_caches: WeakKeyDictionary[VodClient, LookupCache] = WeakKeyDictionary()


def _chunks(items: Iterable[Reference], size: int) -> Iterator[list[Reference]]:
    remaining = iter(items)
    while chunk := [*islice(remaining, size)]:
        yield chunk


async def look_up_starts(session: Session, starts: Mapping[str, Mapping[str, Any]]) -> Facts:
    """Look up starts that no update has sent; see `lookups.look_up_starts`."""
    references = references_of(starts.values())
    if not references:
        return {}
    try:
        return await session.call(look_up, session.client(), references)
    except ConfigurationError as error:  # a preview works without credentials
        return dict.fromkeys(references, LookupUnavailable(" ".join(str(error).split())))


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
    Report lookups; see `lookups.preflight_problems`.

    An unavailable lookup never rejects a start.
    """
    report = evaluate(starts, lookups, secret=secret)
    for findings, log in (
        (report.skipped, host.logger.warning),
        (report.notes, host.logger.info),
    ):
        for problem in group(findings):
            line = f"preflight: {problem}"
            # Each answer has another RequestId: without it, equal lines appear once.
            key = re.sub(r"RequestId [^\]]*", "", line)
            session.announcements.once(key, partial(log, line))
    errors = [*group(report.errors)]
    if session.settings.preflight == "error":
        return errors
    for problem in errors:
        host.logger.warning(f"preflight: {problem}")
    return []
