"""
The adapter of `WorkflowBatch`: translate, plan, start what the plan says, translate back.

FROZEN: states refer to `pulumi_vod_workflow._batch_provider.WorkflowBatchProvider` by name, so this
path stays for ever; a golden test guards it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult

from pulumi_vod_workflow._adapter import PROVIDER_KEY, VodProvider, received, sent, shown_on
from pulumi_vod_workflow._host import Row, when_to_stop
from pulumi_vod_workflow._report import reported
from pulumi_vod_workflow.connect import announce
from pulumi_vod_workflow.core import batch, execution
from pulumi_vod_workflow.core.batch import BatchPlan, Properties
from pulumi_vod_workflow.core.inputs import start_of
from pulumi_vod_workflow.core.plan import refuse_contradictions
from pulumi_vod_workflow.errors import AdoptionError, BatchError, CallError
from pulumi_vod_workflow.fleet import Target, accepted, read_all, start_all

Runs = dict[str, dict[str, Any]]


class WorkflowBatchProvider(VodProvider):
    """CRUD of `WorkflowBatch`. `create` and `update` start what the plan says; all else is free."""

    @reported
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate all items and fill in their tokens; offline and free."""
        declaration = batch.declare_batch(received(news))
        failures = self._failures(declaration.problems)
        if failures:
            return CheckResult(sent(declaration.properties), failures)
        olds = batch.normalise_batch(received(_olds))
        inputs = batch.complete_batch(olds, declaration.properties)
        if not olds:
            self._tell(batch.plan_batch({}, inputs, service=self._service))
        return CheckResult(sent(batch.with_secrets(inputs)), [])

    @reported
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Decide which items ask for a run, and say so; offline and free."""
        olds, news = batch.normalise_batch(received(_olds)), batch.normalise_batch(received(_news))
        plan = batch.plan_batch(olds, news, service=self._service, just_ended=self._just_ended)
        self._tell(plan)
        renewed = _olds.get(PROVIDER_KEY) != _news.get(PROVIDER_KEY)
        return DiffResult(
            changes=plan.changes or renewed, replaces=[], stables=[], delete_before_replace=False
        )

    @reported
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start all items, each of which is paid; those that fail are recorded with their error."""
        inputs = batch.normalise_batch(received(props))
        scope = inputs["scope"]
        made = self._carry_out({}, inputs)
        return CreateResult(f"{scope['project']}/{scope['stack']}/{scope['name']}", made)

    @reported
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Start the items that ask for it, each of which is paid; the others keep their runs."""
        olds, news = batch.normalise_batch(received(_olds)), batch.normalise_batch(received(_news))
        return UpdateResult(self._carry_out(olds, news))

    @reported
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Ask the service about the runs that are not known to have ended, all at once; free."""
        found = batch.normalise_batch(received(props))
        runs, asked = batch.runs_of(found), batch.unfinished(found)
        if not asked:
            return ReadResult(id_, sent(batch.with_secrets(found)))
        targets = {key: self._target(run) for key, run in asked.items()}
        progress, errors = self._connection().wait(read_all, targets)
        if errors:
            names = batch.named([*errors], 20)
            first = next(iter(errors.values()))
            raise BatchError(
                f"{len(errors):,} of {len(asked):,} runs could not be read: {names}. The first: "
                f"{first}"
            )
        for key, (_, told) in progress.items():
            runs[key] = {**runs[key], **told}
            if execution.is_known_to_have_ended(told):
                self._just_ended.add(runs[key]["runId"])
        phases = Counter(run["phase"] for run in runs.values())
        Row().say(", ".join(f"{count:,} {phase}" for phase, count in sorted(phases.items())))
        return ReadResult(id_, self._state(found, runs, found.get("rejected") or {}))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget the runs. The service offers no cancel: unfinished ones go on and are billed."""
        runs = batch.unfinished(batch.normalise_batch(received(_props)))
        left = [key for key, run in runs.items() if not run["emulated"]]
        if left:
            Row().say(
                f"{len(left):,} runs are forgotten, not cancelled: they were not known to have "
                f"ended, go on, and are billed: {batch.named(left, 20)}"
            )

    # -- starting -----------------------------------------------------------------------------

    def _tell(self, plan: BatchPlan) -> None:
        """Say, in a preview too, what is started, and where that is paid."""
        if plan.start:
            announce(self._settings)
        row = Row()
        for line in plan.described():
            row.say(line)

    def _carry_out(self, olds: Properties, news: Properties) -> Any:
        """Do what the plan says, and return the state; raises only if there is no run at all."""
        plan = batch.plan_batch(olds, news, service=self._service, just_ended=self._just_ended)
        runs = batch.carried(olds, news, plan)
        started, why_not = self._start(news, plan)
        adopted, why_not_adopted = self._adopt(news, plan)
        rejected = {**why_not, **why_not_adopted}
        runs = {**runs, **started, **adopted}
        total = len(plan.start) + len(plan.adopt)
        if rejected and not runs:
            raise BatchError(_told(rejected, total, "There is no run to record."))
        if rejected:
            then = "They are recorded as rejected; the next `pulumi up` tries them again."
            Row().say(_told(rejected, total, then), warning=True)
        common = {name: olds[name] for name in ("region", "endpoint") if name in olds}
        return self._state({**news, **common}, runs, rejected)

    def _start(self, news: Properties, plan: BatchPlan) -> tuple[Runs, dict[str, str]]:
        items = batch.items_of(news)
        starts = {key: (start_of(items[key]), items[key]["clientToken"]) for key in plan.start}
        if not starts:
            return {}, {}
        connection, site = self._connection(), self._settings.site
        done = connection.wait(
            start_all, connection.client, starts, say=shown_on(Row()), stopped=when_to_stop()
        )
        # The service has accepted: nothing below may raise, or runs would be lost.
        runs = {
            key: {
                **accepted(answer),
                "clientToken": starts[key][1],
                "region": site.region,
                "endpoint": site.endpoint,
            }
            for key, answer in done.accepted.items()
        }
        failed = {key: _reason(error, news) for key, error in done.failed.items()}
        return runs, {**failed, **done.untried}

    def _adopt(self, news: Properties, plan: BatchPlan) -> tuple[Runs, dict[str, str]]:
        """Read the runs that items name; free."""
        items = batch.items_of(news)
        if not plan.adopt:
            return {}, {}
        connection, site = self._connection(), self._settings.site
        targets = {
            key: Target(connection.client, items[key]["existingRunId"]) for key in plan.adopt
        }
        found, errors = connection.wait(read_all, targets)
        runs: Runs = {}
        failed = {key: _reason(error, news) for key, error in errors.items()}
        for key, (told, outputs) in found.items():
            run_id, start = targets[key].run_id, execution.start_told(told)
            try:
                refuse_contradictions(run_id, items[key], start)
            except AdoptionError as error:
                failed[key] = str(error)
                continue
            runs[key] = {
                **outputs,
                "runId": run_id,
                "adopted": True,
                "started": start,
                "region": site.region,
                "endpoint": site.endpoint,
            }
        return runs, failed

    def _state(self, declared: Properties, runs: Runs, rejected: Mapping[str, str]) -> Any:
        site = self._settings.site
        common = {
            "region": declared.get("region") or site.region,
            "endpoint": declared.get("endpoint") or site.endpoint,
        }
        inputs = {name: declared[name] for name in batch.BATCH_FIELDS if name in declared}
        return sent(batch.with_secrets(batch.record_batch(inputs, runs, rejected, common)))


def _reason(error: CallError, declared: Properties) -> str:
    if declared.get("secretInputs") is True:
        error.withhold()
    return " ".join(str(error).split("\n"))


def _told(rejected: Mapping[str, str], total: int, then: str) -> str:
    alike: dict[str, list[str]] = defaultdict(list)
    for key, why in sorted(rejected.items()):
        alike[why].append(key)
    largest = sorted(alike.items(), key=lambda item: (-len(item[1]), item[1]))
    lines = [f"  - {batch.named(keys, 10)}: {why}" for why, keys in largest[:20]]
    if len(alike) > 20:
        lines.append(f"  - and {sum(len(keys) for _, keys in largest[20:]):,} more")
    return "\n".join([f"{len(rejected):,} of {total:,} items were not started:", *lines, then])
