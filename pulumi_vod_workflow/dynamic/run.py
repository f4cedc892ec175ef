"""The adapter of `WorkflowRun`: translate, one call, translate back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    UpdateResult,
)

from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.changes import (
    EMULATED_RUN_REASON,
    SAME_WORK_WARNING,
    check_adopted_run,
    plan_change,
    token_collides_with_recorded_run,
    work_digest,
)
from pulumi_vod_workflow.core.recovery import (
    REUSES_RUN,
    SENT_AGAIN_MESSAGE,
    RecoveryPlan,
    resource_key_of,
)
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.state import (
    is_unchanged,
    to_state,
    updated_state,
    with_derived_inputs,
)
from pulumi_vod_workflow.core.values import UNKNOWN, is_known, normalise
from pulumi_vod_workflow.dynamic.diagnostics import a_run
from pulumi_vod_workflow.dynamic.error_reporting import reported
from pulumi_vod_workflow.dynamic.provider import (
    PROVIDER_KEY,
    TALLY,
    VodProvider,
    Work,
    are_lost,
    ask,
    earlier_starts,
    received,
    refuse_lost,
    sent,
    shown_on,
    who,
)
from pulumi_vod_workflow.dynamic.sdk_compat.host import Row, when_to_stop
from pulumi_vod_workflow.errors import UNKNOWN_START_OPTIONS, CallError, NotFoundError, Problem
from pulumi_vod_workflow.journal.recorder import StartRecorder

if TYPE_CHECKING:
    from pulumi_vod_workflow.core.preflight import GroupedFindings

WOULD_JOIN = (
    "clientToken: must change, too: with the same one, source, workflow and input, the service may "
    "answer with the recorded run instead of starting the new one that is asked for"
)


class WorkflowRunProvider(VodProvider):
    """CRUD of `WorkflowRun`. Only `create` starts, and pays for, a run; all else is free."""

    __module__ = "pulumi_vod_workflow._provider"  # in every state

    @reported
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate a declaration, fill in its token; free, and offline unless preflight is on."""
        if are_lost(news):
            return CheckResult(sent(received(news)), [])
        olds, declared = normalise(received(_olds)), normalise(received(news))
        if is_unchanged(olds, declared):
            self._checked.add(who(declared))
            self._warn_of_same_work(olds, starts=False)
            return CheckResult(sent(to_state(olds)), self._failures(()))
        from pulumi_vod_workflow.core.inputs.validation import check_inputs  # noqa: PLC0415 - and pydantic

        declaration = check_inputs(declared)
        failures = self._failures(declaration.problems)
        if not declaration.problems and token_collides_with_recorded_run(olds, declaration.values):
            failures.append(CheckFailure("", WOULD_JOIN))
        if failures:
            return CheckResult(sent(declaration.values), failures)
        self._checked.add(who(declaration.values))
        inputs = with_derived_inputs(olds, declaration.values)
        if "clientToken" not in inputs and inputs.get("existingRunId", UNKNOWN) is UNKNOWN:
            inputs["clientToken"] = UNKNOWN  # else the engine shows it as removed
        wrong = [] if olds else self._announce(inputs)
        if wrong:
            return CheckResult(sent(declaration.values), self._failures(wrong))
        return CheckResult(sent(to_state(inputs)), [])

    def _announce(self, inputs: Mapping[str, Any]) -> list[Problem]:
        """
        Say, in a preview too, what a create does: where a run is paid, or that none is.

        Returns:
            What the service has against a start that is not to be made then.

        Raises:
            CallError: when it would not be sent.

        """
        existing = inputs.get("existingRunId")
        if existing is not None and existing is not UNKNOWN:
            which = "a run" if inputs.get("secretInputs") is True else existing
            Row().say(f"adopts {which}, which is free: nothing is started")
            return []
        from pulumi_vod_workflow.core.inputs.validation import find_doubts  # noqa: PLC0415 - loaded by `check`

        recalled, notes = self._recalled(inputs)
        for run in recalled.reused.values():
            Row().say(
                f"{REUSES_RUN.format(run['runId'])}: an earlier update has started it, and no "
                f"state is known to hold it, says the journal {self._settings.journal} (for a "
                "new, paid run change a trigger)"
            )
        if recalled.reused:
            return []
        self._announce_starts(inputs, 1)
        for line in (*earlier_starts(recalled.superseded.values()), *map(str, find_doubts(inputs))):
            Row().say(line, warning=True)
        self._warn_of_same_work(inputs, starts=True)
        if any(note.resent for note in notes.values()):  # and there is no time for questions
            Row().say(SENT_AGAIN_MESSAGE)
            return []
        Row().say(f"starts {a_run(self._settings)}", passing=TALLY.is_many)
        return self._preflight({"": inputs}, _as_told, secret=inputs.get("secretInputs") is True)

    def _warn_of_same_work(self, inputs: Mapping[str, Any], *, starts: bool) -> None:
        """Warn if two runs of this operation do the same work, and it starts one of them."""
        work = work_digest(inputs) if is_known(inputs.get("scope", UNKNOWN)) else None
        if work is None or inputs.get("secretInputs") is True:  # that two are alike is secret, too
            return
        this = Work(str(inputs["scope"].get("name")), str(inputs.get("clientToken")), starts)
        first = self._works.setdefault(work, this)
        if first.name == this.name:
            self._works[work] = this  # a replacement is checked twice
        elif first.token != this.token and (first.starts or starts):
            Row().say(f"{SAME_WORK_WARNING}{first.name}", warning=True)

    def _recalled(self, inputs: Mapping[str, Any]) -> tuple[RecoveryPlan, dict[str, StartRecorder]]:
        """
        Return what the journal has of a start, and the note for sending it, under no name.

        Raises:
            CallError: when it must not be sent.

        """
        recalled, notes = self._recall({"": inputs})
        if recalled.undecided:
            secret = inputs.get("secretInputs") is True
            what = "it" if secret else f"it ({describe_start(inputs)})"
            raise self._unclear(f"{what} was", recalled.undecided.values(), inputs["scope"])
        return recalled, notes

    @reported
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Decide whether a change is a new run, another run, or only recorded; offline and free."""
        if are_lost(_news):
            return DiffResult(changes=True, replaces=[], stables=[], delete_before_replace=False)
        olds, news = received(_olds), received(_news)
        self._settle(_started_here(olds))
        plan = plan_change(olds, news, service=self._service, just_ended=_id in self._just_ended)
        declared = who(news) in self._checked  # not by a refresh, which compares a state
        if "emulated" in plan.new_run and declared:
            Row().say(f"{EMULATED_RUN_REASON}: {a_run(self._settings)} is started")
        if "rerunOnFailure" in plan.new_run and declared:
            Row().say(
                f"failed with {olds.get('status')}; rerun_on_failure asks for a new run, which is "
                "paid"
            )
        if "existingRunId" in plan.free:
            names = "names" if "existingRunId" in _news else "no longer names"
            Row().say(f"{names} its run as an existing one, which is free: nothing is started")
        replaces = [*plan.new_run, *plan.adopt]
        renewed = _olds.get(PROVIDER_KEY) != _news.get(PROVIDER_KEY)
        return DiffResult(
            changes=bool(replaces or plan.free or renewed),
            replaces=replaces,
            stables=[],
            delete_before_replace=False,
        )

    @partial(reported, pays=True)
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start the declared run, which is paid, or adopt an existing one, which is free."""
        refuse_lost(props)
        inputs = normalise(received(props))
        existing = inputs.get("existingRunId")
        if existing is not None:
            return CreateResult(existing, sent(to_state(self._adopt(existing, inputs))))
        run = self._start(inputs)
        # The service has accepted: nothing below may raise, or the run's id would be lost.
        outputs = {**execution.empty_result_lists(), **run, **self._whereabouts(run["runId"])}
        return CreateResult(run["runId"], sent(to_state({**inputs, **outputs})))

    def _start(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        from pulumi_vod_workflow.lifecycle.starter import start_run  # noqa: PLC0415 - with the first call

        recalled, notes = self._recalled(inputs)
        while recalled.reused:
            [run] = recalled.reused.values()
            taken = self._take_over(run)
            if taken is not None:
                return taken
            recalled, notes = self._recalled(inputs)
        note = notes[""]
        connection = self._connection()
        say, stopped = shown_on(Row()), when_to_stop()
        try:
            return ask(
                connection, start_run, connection.client, note, say=say, is_cancelled=stopped
            )
        except CallError as error:
            if inputs.get("secretInputs") is True:
                error.redact_service_message()
            raise

    def _take_over(self, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the run that the journal has, as the service knows it, if it does."""
        from pulumi_vod_workflow.lifecycle.reader import read_run  # noqa: PLC0415 - with the first call

        try:
            _, outputs = ask(self._connection(), read_run, self._target(run))
        except NotFoundError as error:
            if execution.is_emulated(run["runId"]):  # it was reset: nothing real is lost
                self._forget([run["runId"]])
                return None
            error.remedy = (
                f"The journal {self._settings.journal} says that this run was started for it. "
                f"{error.remedy} If it is gone for good, choose:\n{UNKNOWN_START_OPTIONS}"
            )
            raise
        return {**execution.submitted_outputs(run), **outputs}

    @reported
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Ask the service how far the run is; a run that has ended is not asked again."""
        found = normalise(received(props))
        if "runId" not in found:  # WorkflowRun.get: only the id is known
            return ReadResult(id_, sent(to_state(self._look_up(id_))))
        self._settle(_started_here(found))
        if not execution.is_terminal(found):
            found = execution.merge_outputs(found, self._progress(found))
        return ReadResult(id_, sent(to_state(found)))

    def _progress(self, run: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read how far a recorded run is."""
        from pulumi_vod_workflow.lifecycle.reader import read_run  # noqa: PLC0415 - with the first call

        target = self._target(run)
        try:
            _, outputs = ask(self._connection(run), read_run, target)
        except CallError as error:
            if run.get("secretInputs") is True:
                error.redact_service_message()
            raise
        if execution.is_terminal(outputs):
            self._just_ended.add(target.run_id)
        if outputs["phase"] != run.get("phase"):
            Row().say(f"{outputs['phase']} ({outputs['statusReason']})")
        return outputs

    @reported
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Record settings that are not sent to the service; free."""
        refuse_lost(_news)
        olds, declared = normalise(received(_olds)), normalise(received(_news))
        return UpdateResult(sent(updated_state(olds, declared)))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget the run. The service offers no cancel: an unfinished one goes on and is billed."""
        self._settle(_started_here(_props), wait=True)
        if not execution.is_terminal(_props) and _props.get("emulated") is not True:
            Row().say(
                f"{_id} is forgotten, not cancelled: it was not known to have ended, goes on, and "
                "is billed (the service has no call that cancels a run)"
            )

    def _whereabouts(self, run_id: str) -> dict[str, Any]:
        site = self._settings.site
        return {
            "region": site.region,
            "endpoint": site.endpoint,
            "emulated": execution.is_emulated(run_id),
        }

    def _look_up(self, run_id: str) -> dict[str, Any]:
        from pulumi_vod_workflow.lifecycle.reader import RunRef, read_run  # noqa: PLC0415 - with the first call

        connection = self._connection()
        told, outputs = ask(connection, read_run, RunRef(connection.client, run_id))
        return {
            **execution.start_inputs_of(told),
            **execution.empty_result_lists(),
            **outputs,
            "runId": run_id,
            **self._whereabouts(run_id),
        }

    def _adopt(self, run_id: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        found = self._look_up(run_id)
        check_adopted_run(run_id, inputs, found)
        self._journal.discard_undecided(resource_key_of(inputs))
        return {**found, **inputs}


def _as_told(where: GroupedFindings) -> list[Problem]:
    return [Problem(field, reason) for field, reason in where]


def _started_here(run: Mapping[str, Any]) -> list[str]:
    """Return a recorded run's id, if it was not adopted or looked up."""
    started_here = run.get("clientToken") and not run.get("existingRunId")
    return [run["runId"]] if started_here and "runId" in run else []
