"""
The Pulumi dynamic adapter: translate, one call, translate back. It holds no rule about money.

FROZEN: states refer to `pulumi_vod_workflow._provider.WorkflowRunProvider` by name (the pickle in
`__provider` is a reference), so this path stays for ever; a golden test guards it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import Unknown as PulumiUnknown
from pulumi.runtime.rpc import wrap_rpc_secret

from pulumi_vod_workflow._report import reported
from pulumi_vod_workflow.clock import SystemClock
from pulumi_vod_workflow.config import Settings, Site, load_settings, site_of
from pulumi_vod_workflow.connect import Connection, announce, connection_for, tell
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.inputs import UNKNOWN, declare, normalise, start_of
from pulumi_vod_workflow.core.plan import (
    Record,
    after_update,
    complete,
    plan_change,
    record,
    refuse_contradictions,
    would_join,
)
from pulumi_vod_workflow.errors import CallError, ConfigurationError, NotFoundError

PROVIDER_KEY = "__provider"
WOULD_JOIN = (
    "clientToken: must change, too: with the same one, source, workflow and input, the service may "
    "answer with the recorded run instead of starting the new one that is asked for"
)
FORGOTTEN = (
    "The emulator that is configured now does not know this run: was it reset, or started without "
    "its store? Nothing real is lost: `pulumi up --replace` its URN, or destroy it."
)


def _say(line: str) -> None:
    tell(f"vod: {line}")


def _name(recorded: Mapping[str, Any]) -> str:
    """Return what the program calls a run."""
    scope = recorded.get("scope")
    return str(scope.get("name", "run")) if isinstance(scope, Mapping) else "run"


def _received(value: Any) -> Any:
    """Return what the engine sent with the core's own mark for unknowns."""
    if isinstance(value, PulumiUnknown):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: _received(item) for key, item in value.items() if key != PROVIDER_KEY}
    if isinstance(value, list):
        return [_received(item) for item in value]
    return value


def _sent(value: Any) -> Any:
    """Return a value for the engine, unknowns as the SDK's own."""
    if value is UNKNOWN:
        return PulumiUnknown()  # type: ignore[no-untyped-call]  # the SDK's
    if isinstance(value, Mapping):
        return {key: _sent(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_sent(item) for item in value]
    return value


def _recorded(made: Record) -> Any:
    """
    Return what the engine is to record, in its form.

    The engine itself keeps a secret input secret, but only under its own name.
    """
    return {
        key: wrap_rpc_secret(value) if key in made.secret and value is not UNKNOWN else _sent(value)
        for key, value in made.properties.items()
    }


class WorkflowRunProvider(ResourceProvider):
    """
    CRUD of `WorkflowRun`. Only `create` starts, and pays for, a run; everything else is free.

    One instance serves the host's four threads during one engine operation; a preview and the
    update after it have one each.
    """

    serialize_as_secret_always = False  # the pickle is a name: nothing in it is secret

    def configure(self, req: ConfigureRequest) -> None:
        """Take the stack's configuration; it is judged when it is first needed."""
        self._get = req.config.get
        # The SDK offers no list of the keys; where there is none, mistyped ones are not noticed.
        self._keys = tuple(getattr(req.config, "_props", ()))
        self._just_ended: set[str] = set()
        """Runs of which this very operation has read the end."""

    @cached_property
    def _settings(self) -> Settings:
        return load_settings(self._get, os.environ, Path.home(), self._keys)

    @reported
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate a declaration and fill in its token; offline and free."""
        olds, declaration = normalise(_received(_olds)), declare(_received(news))
        # The path goes into the text: the engine prints a failing property's value, secret or not.
        failures = [CheckFailure("", str(problem)) for problem in declaration.problems]
        try:
            self._settings  # noqa: B018 - judged here, so that a preview refuses what is wrong
        except ConfigurationError as error:
            failures.append(CheckFailure("", str(error)))
        if not declaration.problems and would_join(olds, declaration.properties):
            failures.append(CheckFailure("", WOULD_JOIN))
        if failures:
            return CheckResult(_sent(declaration.properties), failures)
        inputs = complete(olds, declaration.properties)
        if not olds:
            self._announce(inputs)
        return CheckResult(_recorded(record(inputs)), [])

    def _announce(self, inputs: Mapping[str, Any]) -> None:
        """Say, in a preview too, what a create does: where a run is paid, or that none is."""
        existing = inputs.get("existingRunId")
        if existing is None or existing is UNKNOWN:  # it may turn out to be none
            announce(self._settings)
        else:
            which = "a run" if inputs.get("secretInputs") is True else existing
            _say(f"{_name(inputs)}: adopts {which}, which is free: nothing is started")

    @reported
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Decide whether a change is a new run, another run, or only recorded; offline and free."""
        olds, site = _received(_olds), self._settings.site
        plan = plan_change(
            olds,
            _received(_news),
            service=None if site.may_be_emulator else site.endpoint,
            just_ended=_id in self._just_ended,
        )
        if "rerunOnFailure" in plan.new_run:
            _say(
                f"{_name(olds)}: failed with {olds.get('status')}; rerun_on_failure asks for a new "
                "run, which is paid"
            )
        replaces = [*plan.new_run, *plan.adopt]
        renewed = _olds.get(PROVIDER_KEY) != _news.get(PROVIDER_KEY)
        return DiffResult(
            changes=bool(replaces or plan.free or renewed),
            replaces=replaces,
            stables=[],
            delete_before_replace=False,
        )

    @reported
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start the declared run, which is paid, or adopt an existing one, which is free."""
        inputs = normalise(_received(props))
        existing = inputs.get("existingRunId")
        if existing is not None:
            return CreateResult(existing, _recorded(record(self._adopt(existing, inputs))))
        try:
            answer = self._connection().start_workflow(start_of(inputs), inputs["clientToken"])
        except CallError as error:
            if inputs.get("secretInputs") is True:
                error.withhold()
            raise
        # The service has accepted: nothing below may raise, or the run's id would be lost.
        run_id = str(answer.result["RunId"])
        moment = execution.service_time(answer.server_date, SystemClock().now())
        outputs = {
            "runId": run_id,
            "requestId": answer.request_id,
            "submittedAt": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "phase": "submitted",
            "statusReason": execution.SUBMITTED_REASON,
            **execution.nothing_yet(),
            **self._whereabouts(run_id, self._settings.site),
        }
        return CreateResult(run_id, _recorded(record({**inputs, **outputs})))

    @reported
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Ask the service how far the run is; a run that has ended is not asked again."""
        recorded = normalise(_received(props))
        if "runId" not in recorded:  # WorkflowRun.get: only the id is known
            return ReadResult(id_, self._look_up(id_, self._settings.site))
        if not execution.is_known_to_have_ended(recorded):
            recorded = execution.merged(recorded, self._progress(id_, recorded))
        return ReadResult(id_, _recorded(record(recorded)))

    def _progress(self, run_id: str, recorded: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read how far a recorded run is."""
        try:
            outputs = self._read(run_id, site_of(recorded, self._settings.site))[1]
        except NotFoundError as error:
            now = execution.service_time(error.server_date, SystemClock().now())
            if not execution.has_expired(recorded, now):
                if recorded.get("emulated") is True:
                    error.remedy = FORGOTTEN
                raise
            outputs = dict(execution.EXPIRED)
        if execution.is_known_to_have_ended(outputs):
            self._just_ended.add(run_id)
        if outputs["phase"] != recorded.get("phase"):
            _say(f"{_name(recorded)}: {outputs['phase']} ({outputs['statusReason']})")
        return outputs

    @reported
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Record settings that are not sent to the service; free."""
        recorded, declared = normalise(_received(_olds)), normalise(_received(_news))
        return UpdateResult(_recorded(after_update(recorded, declared)))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget the run. The service offers no cancel: an unfinished one goes on and is billed."""
        if not execution.is_known_to_have_ended(_props) and _props.get("emulated") is not True:
            _say(
                f"{_id} is forgotten, not cancelled: it was not known to have ended, goes on, and "
                "is billed (the service has no call that cancels a run)"
            )

    # -- the service --------------------------------------------------------------------------

    def _connection(self, site: Site | None = None) -> Connection:
        return connection_for(self._settings, site)

    def _whereabouts(self, run_id: str, site: Site) -> dict[str, Any]:
        return {
            "region": site.region,
            "endpoint": site.endpoint,
            "emulated": execution.is_emulated(run_id),
        }

    def _read(self, run_id: str, site: Site) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Return the service's record of a run, and its outputs, complete once it has ended."""
        connection = self._connection(site)
        described = connection.get_workflow_execution(run_id).result
        outputs = execution.execution_outputs(described)
        if execution.is_known_to_have_ended(outputs):
            result = connection.get_workflow_execution_result(run_id).result
            outputs = execution.merged(outputs, execution.result_outputs(result))
        return described, outputs

    def _look_up(self, run_id: str, site: Site) -> dict[str, Any]:
        described, outputs = self._read(run_id, site)
        return {
            **execution.start_told(described),
            **execution.nothing_yet(),
            **outputs,
            "runId": run_id,
            **self._whereabouts(run_id, site),
        }

    def _adopt(self, run_id: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        found = self._look_up(run_id, self._settings.site)
        refuse_contradictions(run_id, inputs, found)
        return {**found, **inputs}
