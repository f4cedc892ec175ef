"""
Asks the service about the workflows and videos of starts: free, read-only, briefly, each once.

Nothing here fails: what could not be asked is said to be so. What was told, that something is
missing and that it could not be asked too, is kept for as long as the client is: for one preview
or one update.
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

LOOKUP_TIMEOUT: Final = 5.0
"""Seconds for all questions about a resource together, the wait for their turns included."""
LOOKUP_RETRY_POLICY: Final = RetryPolicy(
    read_budget=2.0, unreachable_budget=0.0, initial_backoff=0.25
)
"""A hiccup is no reason to leave something unchecked; a network that is not there is."""
MAX_IDS_PER_CALL: Final[Mapping[Field, int]] = {"templateId": 1, "vid": MAX_VIDS_PER_CALL}
"""How many the service takes in one question."""

Facts = dict[Reference, LookupResult]


async def look_up(client: VodClient, subjects: Iterable[Reference]) -> Facts:
    """
    Return what the service tells of each subject, within `LIMIT` seconds; free, and never raises.

    All questions are asked at once, at the account's rate; a subject that was asked about before
    is not again, and one that is being asked about is asked about once.
    """
    return await _caches.setdefault(client, LookupCache()).about(client, [*subjects])


class LookupCache:
    """What one client has asked."""

    def __init__(self) -> None:
        self._asked: dict[Reference, asyncio.Task[Facts]] = {}
        self._answers: dict[Field, int] = dict.fromkeys(LOOKUP_OPERATIONS, 0)
        self._hopeless: dict[Field, LookupUnavailable] = {}
        """Why there is no use in asking any more."""

    async def about(self, client: VodClient, subjects: Sequence[Reference]) -> Facts:
        """Return the result of each lookup, and make those that are new."""
        for kind in LOOKUP_OPERATIONS:
            new = [item for item in subjects if item.field == kind and item not in self._asked]
            for part in _parts([] if kind in self._hopeless else new, MAX_IDS_PER_CALL[kind]):
                task = asyncio.create_task(self._ask(client, kind, part))
                self._asked.update(dict.fromkeys(part, task))
        tasks = {self._asked[item] for item in subjects if item in self._asked}
        if tasks:
            await asyncio.wait(tasks)
        return {
            item: self._asked[item].result()[item]
            if item in self._asked
            else self._hopeless[item.field]
            for item in subjects
        }

    async def _ask(self, client: VodClient, kind: Field, part: Sequence[Reference]) -> Facts:
        answers = self._answers[kind]
        fact: LookupResult
        try:
            with anyio.fail_after(LOOKUP_TIMEOUT):
                facts = await LOOKUPS[kind](client, part)
        except TimeoutError:
            fact = LookupUnavailable(
                f"{LOOKUP_OPERATIONS[kind]}: no answer within {LOOKUP_TIMEOUT:.0f} s"
            )
            if self._answers[kind] == answers:  # not of a service that is only busy
                self._hopeless.setdefault(kind, fact)
        except CallError as error:
            fact = LookupUnavailable(f"{error.operation}: {error.summary}")
            if not isinstance(error, (NotFoundError, InvalidRequestError)):
                self._hopeless.setdefault(kind, fact)
        else:
            self._answers[kind] += 1
            return facts
        return dict.fromkeys(part, fact)


async def _workflow(client: VodClient, part: Sequence[Reference]) -> Facts:
    [subject] = part
    try:
        answer = await client.get_workflow_template(subject.id, LOOKUP_RETRY_POLICY)
    except NotFoundError as error:
        return {subject: NotFound(f"{error.operation}: {error.summary}")}
    return {subject: workflow_lookup(answer.result)}


async def _videos(client: VodClient, part: Sequence[Reference]) -> Facts:
    answer = await client.get_media_infos([item.id for item in part], LOOKUP_RETRY_POLICY)
    facts = video_lookups([item.id for item in part], answer.result, answer.request_id)
    return {item: facts[item.id] for item in part}


LOOKUPS: Final[Mapping[Field, Callable[[VodClient, Sequence[Reference]], Awaitable[Facts]]]] = {
    "templateId": _workflow,
    "vid": _videos,
}


_caches: WeakKeyDictionary[VodClient, LookupCache] = WeakKeyDictionary()


def _parts(items: Iterable[Reference], size: int) -> Iterator[list[Reference]]:
    rest = iter(items)
    while part := [*islice(rest, size)]:
        yield part


async def preflight_problems(
    session: Session,
    host: Host,
    starts: Mapping[str, Mapping[str, Any]],
    group: Callable[[GroupedFindings], Iterable[Problem]],
    *,
    secret: bool,
) -> list[Problem]:
    """
    Look up, as `vod:preflight` asks, whether the references of starts exist; free.

    A reference that could not be looked up never rejects a start.

    Args:
        session: the engine operation.
        host: gets warnings and notes.
        starts: name -> inputs of starts that will be sent for the first time.
        group: turns findings into problems.
        secret: whether messages must not show the inputs.

    Returns:
        The problems that the starts are rejected for.

    """
    references = references_of(starts.values())
    if not references:
        return []
    try:
        client = session.client()
        results = await session.call(look_up, client, references)
    except ConfigurationError as error:  # a preview needs no credentials
        results = dict.fromkeys(references, LookupUnavailable(" ".join(str(error).split())))
    report = evaluate(starts, results, secret=secret)
    for findings, log in (
        (report.skipped, host.logger.warning),
        (report.notes, host.logger.info),
    ):
        for problem in group(findings):
            line = f"preflight: {problem}"
            # Equal for all resources, whatever the RequestId.
            key = re.sub(r"RequestId [^\]]*", "", line)
            session.announcements.once(key, partial(log, line))
    errors = [*group(report.errors)]
    if session.settings.preflight == "error":
        return errors
    for problem in errors:
        host.logger.warning(f"preflight: {problem}")
    return []
