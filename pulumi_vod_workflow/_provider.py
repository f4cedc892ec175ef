"""
The Pulumi dynamic adapter: translate, one call, translate back. It holds no rule about money.

FROZEN: states refer to `pulumi_vod_workflow._provider.WorkflowRunProvider` by name (the pickle in
`__provider` is a reference), so this path stays for ever; a golden test guards it.
"""

from __future__ import annotations

import os
import sys
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
from pulumi_vod_workflow.config import Settings, Site, load_settings
from pulumi_vod_workflow.connect import Connection, announce, connection_for
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.client_token import client_token
from pulumi_vod_workflow.core.inputs import (
    RUN_FIELDS,
    START_FIELDS,
    UNKNOWN,
    declare,
    normalise,
    start_of,
)
from pulumi_vod_workflow.core.plan import (
    keeps_token,
    plan_change,
    refuse_contradictions,
    would_join,
)
from pulumi_vod_workflow.errors import CallError, ConfigurationError, NotFoundError

PROVIDER_KEY = "__provider"
MADE_OF_INPUTS = (
    "clientToken", "spaceName", "templateName", "tasks", "transcodes", "snapshots",
)  # fmt: skip
"""What could tell a secret input: outputs that follow the inputs, and the token, their hash."""


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


FORGOTTEN = (
    "The emulator that is configured now does not know this run: was it reset, or started without "
    "its store? Nothing real is lost: `pulumi up --replace` its URN, or destroy it."
)


def _say(line: str) -> None:
    print(f"vod: {line}", file=sys.stderr, flush=True)  # noqa: T201 - shown to the person


def _name(recorded: Mapping[str, Any]) -> str:
    """Return what the program calls a run."""
    scope = recorded.get("scope")
    return str(scope.get("name", "run")) if isinstance(scope, Mapping) else "run"


WOULD_JOIN = (
    "clientToken: must change, too: with the same one, source, workflow and input, the service may "
    "answer with the recorded run instead of starting the new one that is asked for"
)


def _recorded(properties: Mapping[str, Any]) -> Any:
    """
    Return what the engine is to record, in its form.

    The engine itself keeps a secret input secret, but only under its own name.
    """
    made = MADE_OF_INPUTS if properties.get("secretInputs") is True else ()
    return {
        key: wrap_rpc_secret(value) if key in made and value is not UNKNOWN else _sent(value)
        for key, value in properties.items()
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
        inputs = declaration.properties
        if would_join(olds, inputs):
            failures.append(CheckFailure("", WOULD_JOIN))
        if olds.get("secretInputs") is True:
            inputs["secretInputs"] = True  # the recorded run was made of secrets all the same
        if not (failures or olds or "existingRunId" in inputs):
            announce(self._settings)
        if not failures and "clientToken" not in inputs:
            token = olds.get("clientToken") if keeps_token(olds, inputs) else None
            if token is None and "existingRunId" not in inputs:  # what is adopted is not started
                token = client_token(inputs)
            if token is not None:
                inputs["clientToken"] = token
        return CheckResult(_recorded(inputs), failures)

    @reported
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Decide whether a change is a new run, another run, or only recorded; offline and free."""
        olds, site = _received(_olds), self._settings.site
        if _id in self._just_ended:
            # `up --refresh` reads again after the preview was approved: a failure that only this
            # operation has learned of is acted on by the next one, whose preview shows it.
            olds = {**olds, "phase": "running"}
        plan = plan_change(
            olds, _received(_news), service=None if site.may_be_emulator else site.endpoint
        )
        if "status" in plan.new_run:
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
            return CreateResult(existing, _recorded(self._adopt(existing, inputs)))
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
        return CreateResult(run_id, _recorded({**inputs, **outputs}))

    @reported
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Ask the service how far the run is; a run that has ended is not asked again."""
        recorded = normalise(_received(props))
        if recorded.get("phase") in execution.ENDED:
            return ReadResult(id_, _recorded(recorded))
        if "runId" not in recorded:  # WorkflowRun.get: only the id is known
            return ReadResult(id_, self._look_up(id_, self._settings.site))
        site = self._site_of(recorded)
        try:
            outputs = self._read(id_, site)[1]
            if outputs["phase"] in execution.ENDED:
                self._just_ended.add(id_)
            if outputs["phase"] != recorded.get("phase"):
                _say(f"{_name(recorded)}: {outputs['phase']} ({outputs['statusReason']})")
            return ReadResult(id_, _recorded({**recorded, **outputs}))
        except NotFoundError as error:
            now = execution.service_time(error.server_date, SystemClock().now())
            if not execution.has_expired(recorded, now):
                if recorded.get("emulated") is True:
                    error.remedy = FORGOTTEN
                raise
        return ReadResult(id_, _recorded({**recorded, **execution.EXPIRED}))

    @reported
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Record settings that are not sent to the service; free."""
        recorded, declared = normalise(_received(_olds)), normalise(_received(_news))
        # What was read of an adopted run's source stays, though it is not declared.
        replaced = set(RUN_FIELDS) - (set(START_FIELDS) if "existingRunId" in declared else set())
        kept = {key: value for key, value in recorded.items() if key not in replaced}
        outs = _recorded({**kept, **declared})
        if declared.get("secretInputs") is True:  # the engine knows only what is still declared
            undeclared = set(kept) & set(START_FIELDS) - set(declared)
            outs |= {key: wrap_rpc_secret(outs[key]) for key in undeclared}
        return UpdateResult(outs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget the run. The service offers no cancel: an unfinished one goes on and is billed."""
        if _props.get("phase") not in execution.ENDED and _props.get("emulated") is not True:
            _say(
                f"{_id} is forgotten, not cancelled: it was not known to have ended, goes on, and "
                "is billed (the service has no call that cancels a run)"
            )

    # -- the service --------------------------------------------------------------------------

    def _connection(self, site: Site | None = None) -> Connection:
        return connection_for(self._settings, site)

    def _site_of(self, recorded: Mapping[str, Any]) -> Site:
        """Return where a run was started; the emulator is wherever it is configured now."""
        configured = self._settings.site
        if recorded.get("emulated") is True and configured.may_be_emulator:
            return configured
        return Site(
            endpoint=str(recorded.get("endpoint") or configured.endpoint),
            region=str(recorded.get("region") or configured.region),
        )

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
        if outputs["phase"] in execution.ENDED:
            result = connection.get_workflow_execution_result(run_id).result
            outputs |= execution.result_outputs(result)
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
