"""The adapter of `WorkflowCompletion`: it waits, and starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult

from pulumi_vod_workflow.core.completion.failures import raise_if_failed, raise_if_unfinished
from pulumi_vod_workflow.core.completion.inputs import check_completion, runs_to_wait_for
from pulumi_vod_workflow.core.completion.results import (
    needs_update,
    result_of,
    result_without_run,
    reusable_results,
    summary,
    to_completion_state,
    with_secrets,
)
from pulumi_vod_workflow.core.execution import is_emulated
from pulumi_vod_workflow.core.progress import format_duration
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.core.values import normalise
from pulumi_vod_workflow.dynamic.error_reporting import reported
from pulumi_vod_workflow.dynamic.provider import (
    PROVIDER_KEY,
    VodProvider,
    are_lost,
    ask,
    received,
    refuse_lost,
    sent,
    shown_on,
)
from pulumi_vod_workflow.dynamic.sdk_compat.host import Row, when_to_stop
from pulumi_vod_workflow.errors import NotFoundError
from pulumi_vod_workflow.lifecycle.waiter import WaitResult, wait_for_runs


class WorkflowCompletionProvider(VodProvider):
    """CRUD of `WorkflowCompletion`: `create` and `update` wait, nothing starts a run."""

    __module__ = "pulumi_vod_workflow._completion_provider"  # in every state

    @reported
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate a wait; offline and free."""
        if are_lost(news):
            return CheckResult(sent(received(news)), [])
        declaration = check_completion(received(news))
        return CheckResult(sent(declaration.values), self._failures(declaration.problems))

    @reported
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Tell whether other runs are to be waited for, or something else is to be recorded."""
        if are_lost(_news):
            return DiffResult(changes=True, replaces=[], stables=[], delete_before_replace=False)
        olds, news = normalise(received(_olds)), normalise(received(_news))
        renewed = _olds.get(PROVIDER_KEY) != _news.get(PROVIDER_KEY)
        changes = renewed or needs_update(olds, news)
        return DiffResult(changes=changes, replaces=[], stables=[], delete_before_replace=False)

    @reported
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait for all runs, and hold their results; free."""
        refuse_lost(props)
        inputs = normalise(received(props))
        scope = inputs["scope"]
        made = self._wait({}, inputs)
        return CreateResult(f"{scope['project']}/{scope['stack']}/{scope['name']}", made)

    @reported
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Wait for the runs whose results are not yet held; free."""
        refuse_lost(_news)
        return UpdateResult(self._wait(normalise(received(_olds)), normalise(received(_news))))

    @reported
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what is recorded: runs that have ended never change again."""
        return ReadResult(id_, sent(with_secrets(normalise(received(props)))))

    def _wait(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Any:
        runs = runs_to_wait_for(news)
        held = reusable_results(olds, runs)
        without = {name: result_without_run(run) for name, run in runs.items()}
        held |= {name: result for name, result in without.items() if result}
        asked = {name: run for name, run in runs.items() if name not in held}
        missing = [name for name in runs if without[name]]
        if asked and missing:  # it will fail for them, or record them; say so before a long wait
            which = list_names(missing, 20)
            Row().say(f"were not started, so have no run to wait for: {which}", warning=True)
        waited = self._waited(asked, news)
        forgotten = [
            name
            for name, error in waited.unreadable.items()
            if isinstance(error, NotFoundError) and is_emulated(asked[name]["runId"])
        ]
        raise_if_unfinished(
            len(runs),
            waited.unfinished,
            {**waited.failing, **waited.unreadable},
            took=None if waited.cancelled else waited.duration,
            forgotten=forgotten,
        )
        read = {
            name: result_of(runs[name]["runId"], outputs) for name, outputs in waited.ended.items()
        }
        results = {name: held.get(name) or read[name] for name in runs}
        if news["onFailure"] == "error":
            raise_if_failed(results)
        if asked:
            Row().say(f"{summary(results)} after {format_duration(waited.duration)}")
        return sent(with_secrets(to_completion_state(news, results)))

    def _waited(self, runs: Mapping[str, Mapping[str, Any]], news: Mapping[str, Any]) -> WaitResult:
        if not runs:
            return WaitResult()
        targets = {name: self._target(run) for name, run in runs.items()}
        say, stopped = shown_on(Row()), when_to_stop()
        waited = ask(
            self._connection(),
            wait_for_runs,
            targets,
            timeout=news["timeout"],
            say=say,
            is_cancelled=stopped,
        )
        if news.get("secretInputs") is True:
            for error in (*waited.failing.values(), *waited.unreadable.values()):
                error.redact_service_message()
        return waited
