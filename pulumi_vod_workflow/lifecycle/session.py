"""The settings, journal and service that all resources of one engine operation share."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar

from pulumi_vod_workflow.config.endpoint import EMULATOR, ServiceEndpoint, endpoint_of_run
from pulumi_vod_workflow.config.journal_location import JournalLocation
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.execution import is_terminal, run_duration
from pulumi_vod_workflow.core.recovery import StartIntent, StartRecord, resource_key_of
from pulumi_vod_workflow.core.start_reason import StartReason
from pulumi_vod_workflow.core.values import as_text, is_known
from pulumi_vod_workflow.errors import ConfigurationError, Problem
from pulumi_vod_workflow.journal.opening import open_journal
from pulumi_vod_workflow.journal.store import Journal
from pulumi_vod_workflow.lifecycle.announcements import Announcements
from pulumi_vod_workflow.lifecycle.host import (
    Checked,
    Diff,
    Host,
    Imported,
    Properties,
    Recorded,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from pulumi_vod_workflow.journal.recorder import StartRecorder
    from pulumi_vod_workflow.lifecycle.reader import RunRead, RunRef
    from pulumi_vod_workflow.lifecycle.stack_evidence import StackEvidence
    from pulumi_vod_workflow.transport.client import VodClient

# The end of a run has the service's own time, so a status may be behind it.
MAX_STATUS_DELAY: Final = 60.0
"""The time after a run's end in which a read may still return it as unfinished, in seconds."""
# The age of the command, the end of a run and the service's time are whole seconds, rounded down.
TIME_ERROR: Final = 2.0
"""The most by which the two times of `Session.note_end` differ from the true ones, in seconds."""

P = ParamSpec("P")
T = TypeVar("T")


class Service(Protocol):
    """The calls of the service, as a host makes them."""

    def client(self, settings: Settings, endpoint: ServiceEndpoint) -> VodClient:
        """
        Return the client of an endpoint.

        Raises:
            ConfigurationError: when there are no credentials for the endpoint.

        """

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run an asynchronous function of clients, and return its result."""


@dataclass(frozen=True, slots=True)
class FirstRunOfWork:
    """The first declared run with a certain source, workflow and input."""

    name: str
    token: str
    starts: bool
    """Whether this operation starts the run."""


class Meeting:
    """The journal's meeting with the stack, which the resources of all kinds share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.met: set[tuple[JournalLocation, str, str]] = set()
        """Journal, project and stack whose unfinished operations this process has read, if due."""
        self.unrecorded_starts: list[StartRecord] = []
        """The starts of unfinished operations that the journal could not record."""


class Session:
    """
    Settings, journal and service of one preview, update, refresh or destroy.

    The engine starts one provider process for each engine operation. Many resources share the
    session, and use it from several threads.

    Args:
        load_settings: reads the settings at the first use.
        service: the calls of the service.
        announcements: the lines of the whole operation.
        meeting: the meeting of the journal with the stack, if other sessions share it.
        command_age: returns the seconds since the begin of the engine's command, if the preview of
            the same command has read all unfinished runs; else `None`.

    """

    def __init__(
        self,
        load_settings: Callable[[], Settings],
        service: Service,
        announcements: Announcements,
        meeting: Meeting | None = None,
        command_age: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._load_settings = load_settings
        self._service = service
        self.announcements = announcements
        self._evidence: StackEvidence | None = None
        self._evidence_lock = threading.Lock()
        self._unanswered: list[StartRecord] | None = None
        self._command_age = command_age
        self.ended_runs: set[str] = set()
        """Ids of runs whose end this engine operation has read: see `note_end`."""
        self.secret_runs: set[str] = set()
        """Ids of runs with secret inputs that this engine operation has met."""
        self._workflows: dict[str, str] = {}
        """RunId -> the workflow of a run of the state."""
        self._run_durations: dict[str, float] = {}
        """RunId -> the duration of a run of the state in seconds, if it has ended."""
        self.checked_resources: set[str] = set()
        """Keys of resources that the program has declared in this engine operation."""
        self.restarts: dict[str, StartReason] = {}
        """Key of a declared, recorded run -> the reason if this engine operation replaces it."""
        self.replaced: dict[str, Properties] = {}
        """Key of a declared, recorded run -> its state if this engine operation replaces it."""
        self.first_of_work: dict[bytes, FirstRunOfWork] = {}
        """Digest of source, workflow and input -> the first run with them."""
        self.meeting = meeting or Meeting()
        self.checked_starts: dict[str, StartRecorder] = {}
        """Record key -> the recorder of a checked start of which the journal has no record."""
        self.promised_reuse: dict[str, StartRecord] = {}
        """Record key -> the start record whose run this engine operation has announced to reuse."""
        self.takeovers: dict[str, StartIntent] = {}
        """
        Record key -> the start that gets the record in this engine operation.

        The start and the record may be of two resources: see `plan_recovery`.
        """
        self.takeover_lock = threading.Lock()
        """The lock of a decision about records, because the engine checks resources in parallel."""
        self.declared_items: dict[str, frozenset[str]] = {}
        """Key of a declared batch -> the keys of its items."""
        self.manifest_seconds: dict[str, Mapping[str, Decimal]] = {}
        """Key of a declared batch -> the durations of its items' sources that its file states."""

    @cached_property
    def settings(self) -> Settings:
        """
        The stack's settings, read at the first use.

        Raises:
            ConfigurationError: with all problems of the settings.

        """
        return self._load_settings()

    @cached_property
    def journal(self) -> Journal:
        """The journal of starts, opened at the first use."""
        return open_journal(self.settings.journal)

    @property
    def runner_journal(self) -> JournalLocation | None:
        """The journal, if the next CI runner may not have it; otherwise `None`."""
        location = self.settings.journal
        return location if location.is_on_ci_runner else None

    def unanswered_starts(self, project: str, stack: str) -> list[StartRecord]:
        """
        Return the starts without an answer that the journal had at the first use.

        Raises:
            JournalError: when the journal is not readable.

        """
        if self._unanswered is None:
            records = self.journal.list_stack(project, stack)
            self._unanswered = [record for record in records if record.run is None]
        return self._unanswered

    def is_declared(self, resource_key: str) -> bool:
        """Return whether the program has declared a run or an item in this engine operation."""
        if resource_key in self.checked_resources:
            return True
        scope = json.loads(resource_key)
        item = scope.pop("item", None)
        return item in self.declared_items.get(resource_key_of({"scope": scope}), ())

    def evidence(self, project: str, stack: str) -> StackEvidence:
        """Return the engine's records of the stack, read at the first use; free."""
        from pulumi_vod_workflow.lifecycle.stack_evidence import (  # noqa: PLC0415 - loads pydantic
            read_stack_evidence,
        )

        with self._evidence_lock:
            if self._evidence is None:
                self._evidence = read_stack_evidence(project, stack)
            return self._evidence

    @property
    def service_url(self) -> str | None:
        """The endpoint of the real service; `None` if the emulator is configured."""
        return self.settings.site.service

    def failures(self, problems: Iterable[Problem]) -> tuple[str, ...]:
        """
        Return the texts of all problems: of a declaration, and of the settings.

        The path is part of the text, and the failure has no property name.
        """
        # The engine prints the value of a named property, even a secret one (pulumi-facts 0.10).
        failures = [str(problem) for problem in problems]
        try:
            self.settings  # noqa: B018 - the first use reads and validates them
        except ConfigurationError as error:
            failures.append(str(error))
        return tuple(failures)

    def client(self, run: Mapping[str, Any] | None = None) -> VodClient:
        """
        Return the client for the endpoint of a recorded run, by default the configured endpoint.

        Raises:
            ConfigurationError: when there are no credentials for the endpoint.

        """
        endpoint = endpoint_of_run(run or {}, self.settings.site)
        if endpoint.endpoint == EMULATOR:
            self.announcements.announce_endpoint(replace(self.settings, site=endpoint))
        return self._service.client(self.settings, endpoint)

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run an asynchronous function of clients, and return its result."""
        return await self._service.call(function, *args, **kwargs)

    def run_ref(self, run: Mapping[str, Any]) -> RunRef:
        """Return the reference that reads a recorded run."""
        from pulumi_vod_workflow.lifecycle.reader import RunRef  # noqa: PLC0415 - loads anyio

        since = run.get("createTime") or run.get("submittedAt")
        return RunRef(self.client(run), run["runId"], since)

    def endpoint_outputs(self) -> dict[str, Any]:
        """Return the outputs `region` and `endpoint` of a new run."""
        site = self.settings.site
        return {"region": site.region, "endpoint": site.endpoint}

    def note_end(self, run_id: str, found: RunRead) -> None:
        """
        Record that this engine operation has read the end of a run.

        Exempt is a run that had ended before the engine's command began. The preview of the command
        has read that end, too, and has shown a rerun.
        """
        if not is_terminal(found.outputs):
            return
        age, ended_for = self._command_age(), found.ended_for
        if age is None or ended_for is None or ended_for < age + MAX_STATUS_DELAY + TIME_ERROR:
            self.ended_runs.add(run_id)

    def note_recorded(self, runs: Iterable[Mapping[str, Any]]) -> None:
        """Record the workflow of runs of the state, and the durations of those that have ended."""
        for run in runs:
            run_id = as_text(run.get("runId"))
            self._workflows[run_id] = as_text(run.get("templateId"))
            self._note_run_duration(run_id, run)

    def recorded_run_durations(
        self, results: Iterable[Mapping[str, Any]]
    ) -> dict[str, list[float]]:
        """
        Return workflow -> the durations of recorded runs, in seconds.

        Args:
            results: recorded results of a wait. They have the ends of runs for which the state of a
                batch may have none.

        """
        for result in results:
            self._note_run_duration(as_text(result.get("runId")), result)
        found: dict[str, list[float]] = {}
        for run_id, duration in self._run_durations.copy().items():  # other threads may add some
            if run_id in self._workflows:
                found.setdefault(self._workflows[run_id], []).append(duration)
        return found

    def _note_run_duration(self, run_id: str, run: Mapping[str, Any]) -> None:
        duration = run_duration(run)
        if duration is not None:
            self._run_durations[run_id] = duration

    def announce_starts(self, inputs: Mapping[str, Any], count: int) -> None:
        """Show, also in a preview, where runs start, and how many the stack starts so far."""
        self.announcements.announce_endpoint(self.settings)
        self.announcements.count_starts(known_resource_key(inputs), count, self.settings)


def known_resource_key(inputs: Mapping[str, Any]) -> str:
    """Return the key of the declaring resource; empty while a part of its name is unknown."""
    return resource_key_of(inputs) if is_known(inputs.get("scope")) else ""


class Lifecycle(Protocol):
    """The operations of one kind of resource: a module of this folder."""

    PAID_OPERATIONS: frozenset[str]
    """Names of the operations that may start runs."""

    async def check(
        self, session: Session, host: Host, olds: Properties, news: Properties, /
    ) -> Checked:
        """Validate a declaration; free."""

    async def diff(
        self, session: Session, host: Host, id_: str, olds: Properties, news: Properties, /
    ) -> Diff:
        """Decide what a change does; free."""

    async def create(self, session: Session, host: Host, props: Properties, /) -> Recorded:
        """Create the resource."""

    async def read(self, session: Session, host: Host, id_: str, props: Properties, /) -> Recorded:
        """Read the current outputs; free."""

    async def update(
        self, session: Session, host: Host, id_: str, olds: Properties, news: Properties, /
    ) -> Properties:
        """Update the resource."""

    async def delete(self, session: Session, host: Host, id_: str, props: Properties, /) -> None:
        """Remove the resource from the state; free."""

    async def import_(
        self, session: Session, host: Host, id_: str, scope: Properties, /
    ) -> Imported:
        """
        Read an existing resource that no state has; free.

        Raises:
            VodWorkflowError: when the resource does not exist, or its kind cannot be imported.

        """

    def may_change_by_read(self, state: Mapping[str, Any], /) -> bool:
        """Return whether a read may change a state: it has a run that has not ended."""
