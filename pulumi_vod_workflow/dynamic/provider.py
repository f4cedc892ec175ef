"""
What the Pulumi dynamic providers share: the engine's values and ours, settings, lines, connections.

A provider is pickled by reference into every state: the classes' own modules stay where they are
for ever (`_provider`, `_batch_provider`, `_completion_provider`); this one is not in any state.

A preview asks a provider without any call, unless preflight is on: what makes calls (`connect`,
`fleet`, and with them httpx) is loaded with the first, as far as runs are concerned.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar
from uuid import uuid4

from pulumi.dynamic import CheckFailure, ConfigureRequest, ResourceProvider
from pulumi.output import Unknown as PulumiUnknown
from pulumi.runtime.rpc import wrap_rpc_secret

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.config.endpoint import EMULATOR, endpoint_of_run
from pulumi_vod_workflow.config.settings import Settings, home_folder, load_settings
from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.core.recovery import (
    RecoveryAction,
    RecoveryPlan,
    StartRecord,
    is_fully_known,
    plan_recovery,
    recovery_action,
    resource_key_of,
    start_intent,
)
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.core.values import UNKNOWN, is_known
from pulumi_vod_workflow.dynamic.diagnostics import Tally, announce, once
from pulumi_vod_workflow.dynamic.sdk_compat.host import (
    Row,
    notice_cancellation,
    say_of_stack,
    settle_in,
    tell,
    without_a_slot,
)
from pulumi_vod_workflow.errors import (
    ConfigurationError,
    Problem,
    UnknownStartOutcomeError,
    VodWorkflowError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import Journal, journal_at

if TYPE_CHECKING:
    from pulumi_vod_workflow.core.preflight import GroupedFindings
    from pulumi_vod_workflow.lifecycle.reader import RunRef
    from pulumi_vod_workflow.transport.event_loop import BlockingClient

P = ParamSpec("P")
T = TypeVar("T")

PROVIDER_KEY = "__provider"
TALLY: Final = Tally(say_of_stack)
"""Of all resources: one process serves them during one operation."""
Properties = Mapping[str, Any]


def received(properties: Properties) -> dict[str, Any]:
    """
    Return what the engine sent: the core's own mark for unknowns, and nothing of the SDK's.

    The provider's pickle is a property of the resource; deeper down the same key is the user's.
    """
    return {key: _marked(item) for key, item in properties.items() if key != PROVIDER_KEY}


def _marked(value: Any) -> Any:
    if isinstance(value, PulumiUnknown):
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return value


def are_lost(properties: Properties) -> bool:
    """
    Tell whether the engine has removed unknown values from a declaration, outside a preview.

    They depend on a resource that failed (`up --continue-on-error`) or is left out (`--target`).
    The engine itself skips the resource, if its check and diff do not fail.
    """
    return properties.get("unknownInputs") is True


def refuse_lost(properties: Properties) -> None:
    """
    Let nothing be started or recorded with values missing.

    Raises:
        VodWorkflowError: when the engine did not skip the resource.

    """
    if are_lost(properties):
        raise VodWorkflowError(
            "Inputs depend on a resource that failed or is left out. No run was started."
        )


def sent(value: Any) -> Any:
    """Return a value for the engine, with the SDK's own marks for unknowns and secrets."""
    if value is UNKNOWN:
        return PulumiUnknown()  # type: ignore[no-untyped-call]  # the SDK's
    if isinstance(value, Secret):
        return wrap_rpc_secret(sent(value.value))
    if isinstance(value, Mapping):
        return {key: sent(item) for key, item in value.items()}
    if isinstance(value, list):
        return [sent(item) for item in value]
    return value


def who(declared: Properties) -> str:
    """Return who declares a resource; empty as long as that is not all known."""
    return resource_key_of(declared) if is_known(declared.get("scope")) else ""


def ask(
    connection: BlockingClient,
    function: Callable[P, Awaitable[T]],
    *args: P.args,
    **settings: P.kwargs,
) -> T:
    """Return what an asynchronous function of clients returns; no slot is held meanwhile."""
    with without_a_slot():
        return connection.run(function, *args, **settings)


@dataclass(frozen=True, slots=True)
class Work:
    """A declared run, as the first that does its work."""

    name: str
    token: str
    starts: bool
    """Whether this operation starts it."""


class VodProvider(ResourceProvider):
    """
    A dynamic provider's settings and connections.

    One instance serves the host's threads during one engine operation; a preview and the
    update after it have one each.
    """

    def configure(self, req: ConfigureRequest) -> None:
        """Take the stack's configuration; it is judged when it is first needed."""
        self._get = req.config.get
        # The SDK offers no list of the keys; where there is none, mistyped ones are not noticed.
        self._keys = tuple(getattr(req.config, "_props", ()))
        self._just_ended: set[str] = set()
        """Runs of which this very operation has read the end."""
        self._checked: set[str] = set()
        """Who has been declared in this very operation."""
        self._works: dict[bytes, Work] = {}
        """What the runs of this very operation do -> the first of them."""
        self._promised: dict[str, StartRecord] = {}
        """What this very operation has said that it takes over, by `Order.key`."""
        notice_cancellation()
        settle_in()

    @cached_property
    def _settings(self) -> Settings:
        return load_settings(self._get, os.environ, home_folder(), self._keys)

    @property
    def _service(self) -> str | None:
        """The endpoint of the real service, if that is where runs are started now."""
        return self._settings.site.service

    def _failures(self, problems: Iterable[Problem]) -> list[CheckFailure]:
        """
        Return all that is wrong with a declaration, and with the settings.

        The path goes into the text: the engine prints a failing property's value, secret or not.
        """
        failures = [CheckFailure("", str(problem)) for problem in problems]
        try:
            self._settings  # noqa: B018 - judged here, so that a preview refuses what is wrong
        except ConfigurationError as error:
            failures.append(CheckFailure("", str(error)))
        return failures

    def _announce_starts(self, inputs: Properties, count: int) -> None:
        """Say, in a preview too, where runs are started, and on the stack's row how many so far."""
        announce(self._settings)
        TALLY.add(who(inputs), count, self._settings)

    def _connection(self, run: Properties | None = None) -> BlockingClient:
        """Return the connection to where a recorded run is, by default to the configured site."""
        from pulumi_vod_workflow.transport.event_loop import client_for  # noqa: PLC0415 - with the first call

        settings = self._settings
        site = endpoint_of_run(run or {}, settings.site)
        if site.endpoint == EMULATOR:
            announce(replace(settings, site=site))
        return client_for(settings, site, say=tell)

    def _preflight(
        self,
        starts: Mapping[str, Properties],
        told: Callable[[GroupedFindings], Iterable[Problem]],
        *,
        secret: bool,
    ) -> list[Problem]:
        """
        Ask the service whether what starts need is there, if `vod:preflight` says so; free.

        What could not be asked never stands in the way of a start.

        Args:
            starts: name -> inputs of what will be started: not of what may be taken over or joined.
            told: how to say what is found.
            secret: whether the inputs are not to be told.

        Returns:
            What the starts are to be refused for; all else is said on the resource's row.

        """
        mode = self._settings.preflight
        if mode == "off":
            return []
        from pulumi_vod_workflow.core.preflight import (  # noqa: PLC0415 - only those who ask
            LookupUnavailable,
            evaluate,
            references_of,
        )
        from pulumi_vod_workflow.lifecycle.preflight import look_up  # noqa: PLC0415

        subjects = references_of(starts.values())
        if not subjects:
            return []
        try:
            connection = self._connection()
            facts = ask(connection, look_up, connection.client, subjects)
        except ConfigurationError as error:  # no credentials: a preview needs none
            facts = dict.fromkeys(subjects, LookupUnavailable(" ".join(str(error).split())))
        found, row = evaluate(starts, facts, secret=secret), Row()
        for where, warning in ((found.skipped, True), (found.notes, False)):
            for problem in told(where):
                # Said once, however many resources, whatever the RequestIds.
                line = f"preflight: {problem}"
                what = re.sub(r"RequestId [^\]]*", "", line)
                once(what, partial(row.say, line, warning=warning))
        wrong = [*told(found.errors)]
        if mode == "error":
            return wrong
        for problem in wrong:
            row.say(f"preflight: {problem}", warning=True)
        return []

    # -- the journal --------------------------------------------------------------------------

    @cached_property
    def _journal(self) -> Journal:
        return journal_at(self._settings.journal)

    def _recall(
        self, declared: Mapping[str, Properties]
    ) -> tuple[RecoveryPlan, dict[str, StartRecorder]]:
        """
        Return what an operation that was cut short has left of starts, and notes for the others.

        Args:
            declared: name -> checked inputs; those whose start is not all known are left out.

        Raises:
            JournalError: when no start could be written down.

        """
        site, settings = self._settings.site, self._settings
        orders = {
            name: start_intent(inputs, endpoint=site.endpoint, region=site.region)
            for name, inputs in declared.items()
            if is_fully_known(inputs)
        }
        look = self._journal.lookup(orders.values(), create=True)
        entries = {**look.records, **self._promised}
        now, within = SystemClock().now(), settings.resend_within
        recalled = plan_recovery(orders, entries, look.superseded, now, within)
        self._promised |= {
            orders[name].record_key: entries[orders[name].record_key] for name in recalled.reused
        }
        resent, owner = recalled.resent, uuid4().hex
        # What is sent once more goes first: it has the least time.
        notes = {
            name: StartRecorder(
                self._journal,
                orders[name],
                owner,
                look.versions[orders[name].record_key],
                resent=name in resent,
                resend_within=within,
            )
            for name in [*resent, *(name for name in orders if name not in resent)]
            if name not in recalled.reused
        }
        return recalled, notes

    def _unclear(
        self, whose: str, entries: Collection[StartRecord], scope: Properties
    ) -> UnknownStartOutcomeError:
        """
        Return the question what became of starts.

        Args:
            whose: what was sent.
            entries: what the journal has of it.
            scope: of the resource that declares it: its project and stack.

        """
        times = sorted({_time(entry) for entry in entries})
        when = times[0] if len(times) == 1 else f"between {times[0]} and {times[-1]}"
        gone = any(entry.run for entry in entries)
        why = "and is too old to be found" if gone else "and never answered"
        path = self._settings.journal
        asked, now = {entry.record_key for entry in entries}, SystemClock().now()
        others = sum(
            recovery_action(entry, now, self._settings.resend_within) is RecoveryAction.REFUSE
            for _, entry in self._journal.list_stack(scope["project"], scope["stack"])
            if entry.record_key not in asked
        )
        return UnknownStartOutcomeError(
            f"{whose} sent {when} {why}, says the journal {path}", others
        )

    def _forget(self, run_ids: Collection[str]) -> None:
        """Break the promise to take runs over, because they are not there."""
        self._settle(run_ids, wait=True)
        for key, entry in [*self._promised.items()]:
            if entry.run and entry.run["runId"] in run_ids:
                del self._promised[key]

    def _settle(self, run_ids: Iterable[str], *, wait: bool = False) -> None:
        """
        Let the journal forget runs that a state holds; never raises.

        Args:
            run_ids: of those that were started here: what was adopted is not ours to forget.
            wait: until it is written, because the state is about to lose them.

        """
        with suppress(VodWorkflowError):
            written = self._journal.release(run_ids)
            if written and wait:
                written.result()

    def _target(self, run: Properties) -> RunRef:
        """Return a recorded run as one that can be read."""
        from pulumi_vod_workflow.lifecycle.reader import RunRef  # noqa: PLC0415 - with the first call

        since = run.get("createTime") or run.get("submittedAt")
        return RunRef(self._connection(run).client, run["runId"], since)


def _time(entry: StartRecord) -> str:
    return f"{entry.sent_at:%Y-%m-%dT%H:%M:%SZ}"


def earlier_starts(entries: Iterable[StartRecord]) -> Iterator[str]:
    """Say what was started earlier for those who now ask for other runs."""
    answered = [entry.run["runId"] for entry in entries if entry.run]
    unclear = sum(entry.run is None for entry in entries)
    if answered:
        yield f"an earlier update has started {list_names(answered)} for it, which is not cancelled"
    if unclear:
        times = "once" if unclear == 1 else f"{unclear:,} times"
        yield f"an earlier update has sent {times} what was never answered: it may be a run, too"


def shown_on(row: Row) -> Callable[[ProgressMessage], None]:
    """Return what shows the lines of a long operation on a resource's row."""
    return lambda line: row.say(line.text, passing=line.ephemeral)
