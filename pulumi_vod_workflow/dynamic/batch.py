"""The adapter of `WorkflowBatch`: translate, plan, start what the plan says, translate back."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult

from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.batch.changes import (
    BatchPlan,
    kept_runs,
    plan_batch,
    same_work,
    same_work_warnings,
)
from pulumi_vod_workflow.core.batch.inputs import (
    BATCH_FIELDS,
    Properties,
    check_batch,
    check_restarted_items,
    find_item_doubts,
    group_problems,
    items_of,
    normalise_batch,
    stale_tokens,
    with_derived_batch_inputs,
)
from pulumi_vod_workflow.core.batch.state import (
    runs_of,
    to_batch_state,
    unfinished_runs,
    with_secrets,
)
from pulumi_vod_workflow.core.changes import check_adopted_run
from pulumi_vod_workflow.core.recovery import RecoveryPlan, Run, resource_key_of
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.core.values import UNKNOWN, is_known
from pulumi_vod_workflow.dynamic.error_reporting import reported
from pulumi_vod_workflow.dynamic.provider import (
    PROVIDER_KEY,
    VodProvider,
    are_lost,
    ask,
    earlier_starts,
    received,
    refuse_lost,
    sent,
    shown_on,
)
from pulumi_vod_workflow.dynamic.sdk_compat.host import Row, when_to_stop
from pulumi_vod_workflow.errors import (
    UNKNOWN_START_OPTIONS,
    AdoptionError,
    BatchError,
    CallError,
    NotFoundError,
    PreflightError,
    Problem,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.lifecycle.reader import RunRef, read_many
from pulumi_vod_workflow.lifecycle.starter import StartResults, start_many

ASKED = (
    "The journal has a note of them: the next `pulumi up` does not send them again unasked, unless "
    "within vod:resendWithin. Look for their runs in the VOD console, then choose for each item:"
)
CORRECT: Final = "Nothing of the batch was started. Correct the items."
NOT_STARTED: Final = (
    "Nothing of the batch was started. Correct the items, or set vod:preflight to warn: then the "
    "service decides."
)
Runs = dict[str, dict[str, Any]]
Notes = dict[str, StartRecorder]


class WorkflowBatchProvider(VodProvider):
    """CRUD of `WorkflowBatch`. `create` and `update` start what the plan says; all else is free."""

    __module__ = "pulumi_vod_workflow._batch_provider"  # in every state

    @reported
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate all items and fill in their tokens; free, and offline unless preflight is on."""
        if are_lost(news):
            return CheckResult(sent(received(news)), [])
        olds = normalise_batch(received(_olds))
        declaration = check_batch(received(news), olds)
        problems = declaration.problems or stale_tokens(olds, declaration.values)
        failures = self._failures(problems)
        if failures:
            return CheckResult(sent(declaration.values), failures)
        inputs = with_derived_batch_inputs(olds, declaration.values)
        self._checked.add(resource_key_of(inputs))
        if not olds:
            plan, recalled, _ = self._planned({}, inputs)
            self._tell(plan, recalled, inputs)
            wrong = self._asked(plan, recalled, inputs)
            if wrong:
                return CheckResult(sent(declaration.values), self._failures(wrong))
        return CheckResult(sent(with_secrets(inputs)), [])

    @reported
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """
        Decide which items ask for a run, and say so; free, and offline unless preflight is on.

        Raises:
            PreflightError: when the service has something against what would be started.

        """
        if are_lost(_news):
            return DiffResult(changes=True, replaces=[], stables=[], delete_before_replace=False)
        olds, news = normalise_batch(received(_olds)), normalise_batch(received(_news))
        self._settle(_started_here(runs_of(olds)))
        if resource_key_of(news) in self._checked:
            plan, recalled, _ = self._planned(olds, news)
            self._tell(plan, recalled, news)
            wrong = self._asked(plan, recalled, news)
            if wrong:
                told = [f"  - {problem}" for problem in wrong]
                raise PreflightError("\n".join(["refused by preflight:", *told, NOT_STARTED]))
        else:  # a refresh compares the state with itself: what `up` starts, the program decides
            plan = self._plan(olds, news)
        renewed = _olds.get(PROVIDER_KEY) != _news.get(PROVIDER_KEY)
        return DiffResult(
            changes=plan.changes or renewed, replaces=[], stables=[], delete_before_replace=False
        )

    @partial(reported, pays=True)
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Start all items, each of which is paid; those that fail are recorded with their error."""
        refuse_lost(props)
        inputs = normalise_batch(received(props))
        scope = inputs["scope"]
        made = self._carry_out({}, inputs)
        return CreateResult(f"{scope['project']}/{scope['stack']}/{scope['name']}", made)

    @partial(reported, pays=True)
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Start the items that ask for it, each of which is paid; the others keep their runs."""
        refuse_lost(_news)
        olds, news = normalise_batch(received(_olds)), normalise_batch(received(_news))
        return UpdateResult(self._carry_out(olds, news))

    @reported
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Ask the service about the runs that are not known to have ended, all at once; free."""
        found = normalise_batch(received(props))
        runs, asked = runs_of(found), unfinished_runs(found)
        self._settle(_started_here(runs))
        if not asked:
            return ReadResult(id_, sent(with_secrets(found)))
        targets = {key: self._target(run) for key, run in asked.items()}
        told, errors = ask(self._connection(), read_many, targets)
        if errors:
            self._report_unreadable(found, errors, len(asked))
        for key, (_, outputs) in told.items():
            runs[key] = {**runs[key], **outputs}
            if execution.is_terminal(outputs):
                self._just_ended.add(runs[key]["runId"])
        phases = Counter(run["phase"] for run in runs.values())
        Row().say(", ".join(f"{count:,} {phase}" for phase, count in sorted(phases.items())))
        why_not = {name: found.get(name) or {} for name in ("rejected", "unclear")}
        return ReadResult(id_, self._state(found, runs, **why_not))

    def _report_unreadable(
        self, found: Properties, errors: Mapping[str, CallError], asked: int
    ) -> None:
        """
        Say which runs could not be read; what the others told is recorded.

        Raises:
            BatchError: when none could.

        """
        alike = _alike({key: _reason(error, found) for key, error in errors.items()})
        text = "\n".join([f"{len(errors):,} of {asked:,} runs could not be read:", *alike])
        if len(errors) == asked:
            raise BatchError(text)
        Row().say(text, warning=True)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget the runs. The service offers no cancel: unfinished ones go on and are billed."""
        found = normalise_batch(received(_props))
        self._settle(_started_here(runs_of(found)), wait=True)
        runs = unfinished_runs(found)
        left = [key for key, run in runs.items() if not run["emulated"]]
        if left:
            Row().say(
                f"{len(left):,} runs are forgotten, not cancelled: they were not known to have "
                f"ended, go on, and are billed: {list_names(left, 20)}"
            )

    # -- starting -----------------------------------------------------------------------------

    def _planned(self, olds: Properties, news: Properties) -> tuple[BatchPlan, RecoveryPlan, Notes]:
        """
        Return what is to be done, what the journal has of it, and notes for what is to be sent.

        Raises:
            CallError: when there are starts that must not be sent.
            BatchError: when items that start again break a rule of today.

        """
        plan = self._plan(olds, news)
        if not plan.start:
            return plan, RecoveryPlan(), {}
        wrong = [f"  - {problem}" for problem in check_restarted_items(olds, news, plan.start)]
        if wrong:
            raise BatchError("\n".join(["items that start again are refused:", *wrong, CORRECT]))
        items = items_of(news)
        known = {key: items[key] for key in plan.start if is_known(items[key])}
        recalled, notes = self._recall(known)
        if recalled.undecided:
            secret = news.get("secretInputs") is True
            asked = [
                key if secret else f"{key}: {describe_start(items[key])}"
                for key in recalled.undecided
            ]
            which = f"of {plan.total:,} items {len(asked):,} ({list_names(asked, 50)}) were"
            raise self._unclear(which, recalled.undecided.values(), news["scope"])
        return plan.with_recovery(recalled.reused, recalled.resent), recalled, notes

    def _plan(self, olds: Properties, news: Properties) -> BatchPlan:
        return plan_batch(olds, news, service=self._service, just_ended=self._just_ended)

    def _tell(self, plan: BatchPlan, recalled: RecoveryPlan, news: Properties) -> None:
        """Say, in a preview too, what is started, and where that is paid."""
        if plan.start:
            self._announce_starts(news, len(plan.start))
        row = Row()
        doubts = map(str, find_item_doubts(news, plan.start))
        for line in (*earlier_starts(recalled.superseded.values()), *doubts):
            row.say(line, warning=True)
        if plan.start and news.get("secretInputs") is not True:  # that two are alike is secret, too
            for line in same_work_warnings(same_work(items_of(news), plan.start)):
                row.say(line, warning=True)
        for line in plan.summary_lines():
            row.say(line)

    def _asked(self, plan: BatchPlan, recalled: RecoveryPlan, news: Properties) -> list[Problem]:
        """Return what the service has against the starts that are not to be made then."""
        if recalled.resent:  # they have no time for questions
            return []
        items = items_of(news)
        starts = {key: items[key] for key in plan.start if items[key] is not UNKNOWN}
        return self._preflight(starts, group_problems, secret=news.get("secretInputs") is True)

    def _carry_out(self, olds: Properties, news: Properties) -> Any:
        """
        Do what the plan says, and return the state.

        Raises:
            BatchError: when nothing was accepted, and either no other could be or there is no run
                to record.

        """
        plan, recalled, notes = self._planned(olds, news)
        taken = self._take_over(recalled.reused, news)
        if len(taken) < len(recalled.reused):
            plan, _, notes = self._planned(olds, news)
        runs = kept_runs(olds, news, plan)
        adopted, rejected = self._adopt(news, plan)
        # Last, for from here on runs may be paid: nothing below may raise once one is accepted.
        started = self._start(notes)
        items, where = items_of(news), self._where()
        ours = {
            key: {**items[key], **run, **where}
            for key, run in {**taken, **started.accepted}.items()
        }
        unclear: dict[str, str] = {}
        for key, error in started.failed.items():
            (unclear if error.maybe_accepted else rejected)[key] = _reason(error, news)
        rejected |= started.skipped
        new_runs = {**adopted, **ours}
        runs = {**runs, **new_runs}
        if rejected or unclear:
            told = _told(rejected, unclear, len(plan.start) + len(plan.adopt))
            if not runs or (started.abort_error and not new_runs):
                raise BatchError(told)
            Row().say(told, warning=True)
        common = {name: olds[name] for name in ("region", "endpoint") if name in olds}
        why_not = {"rejected": _lasting(rejected), "unclear": _lasting(unclear)}
        return self._state({**news, **common}, runs, **why_not)

    def _take_over(self, taken: Mapping[str, Run], news: Properties) -> Runs:
        """
        Return the runs that the journal has, as the service knows them.

        Those that an emulator has lost are forgotten: nothing real is lost with them.

        Raises:
            BatchError: when others cannot be read.

        """
        if not taken:
            return {}
        connection = self._connection()
        targets = {key: self._target(run) for key, run in taken.items()}
        found, errors = ask(connection, read_many, targets)
        lost = [
            taken[key]["runId"]
            for key, error in errors.items()
            if isinstance(error, NotFoundError) and execution.is_emulated(taken[key]["runId"])
        ]
        if len(lost) < len(errors):
            alike = _alike({key: _reason(error, news) for key, error in errors.items()})
            told = (
                f"{len(errors):,} runs that an earlier update has started, says the journal "
                f"{self._settings.journal}, cannot be read. Nothing was started now."
            )
            left = f"If they are gone for good, choose for each item:\n{UNKNOWN_START_OPTIONS}"
            raise BatchError("\n".join([told, *alike, left]))
        self._forget(lost)
        return {
            key: {**execution.submitted_outputs(taken[key]), **outputs}
            for key, (_, outputs) in found.items()
        }

    def _start(self, notes: Notes) -> StartResults:
        if not notes:
            return StartResults()
        connection, say, stopped = self._connection(), shown_on(Row()), when_to_stop()
        return ask(connection, start_many, connection.client, notes, say=say, is_cancelled=stopped)

    def _where(self) -> dict[str, str]:
        site = self._settings.site
        return {"region": site.region, "endpoint": site.endpoint}

    def _adopt(self, news: Properties, plan: BatchPlan) -> tuple[Runs, dict[str, str]]:
        """Read the runs that items name; free."""
        items = items_of(news)
        if not plan.adopt:
            return {}, {}
        connection = self._connection()
        targets = {
            key: RunRef(connection.client, items[key]["existingRunId"]) for key in plan.adopt
        }
        found, errors = ask(connection, read_many, targets)
        runs: Runs = {}
        failed = {key: _reason(error, news) for key, error in errors.items()}
        for key, (told, outputs) in found.items():
            run_id, start = targets[key].run_id, execution.start_inputs_of(told)
            try:
                check_adopted_run(run_id, items[key], start)
            except AdoptionError as error:
                failed[key] = str(error)
            else:
                runs[key] = {**start, **items[key], **outputs, "runId": run_id, **self._where()}
        self._journal.discard_undecided(*(resource_key_of(items[key]) for key in runs))
        return runs, failed

    def _state(self, declared: Properties, runs: Runs, **why_not: Mapping[str, str]) -> Any:
        site = self._where()
        common = {name: declared.get(name) or site[name] for name in site}
        inputs = {name: declared[name] for name in BATCH_FIELDS if name in declared}
        return sent(with_secrets(to_batch_state(inputs, runs, site=common, **why_not)))


def _started_here(runs: Mapping[str, Properties]) -> list[str]:
    """Return the ids of the runs that were not adopted."""
    return [run["runId"] for run in runs.values() if "existingRunId" not in run]


def _reason(error: CallError, declared: Properties) -> str:
    if declared.get("secretInputs") is True:
        error.redact_service_message()
    if error.maybe_accepted:
        return error.description
    return " ".join(line.rstrip(".") + "." for line in str(error).split("\n"))


def _lasting(reasons: Mapping[str, str]) -> dict[str, str]:
    """Return reasons without what differs each time, so that the same one is no change."""
    return {key: re.sub(r", RequestId [^\]]*", "", why) for key, why in reasons.items()}


def _told(rejected: Mapping[str, str], unclear: Mapping[str, str], total: int) -> str:
    lines: list[str] = []
    if rejected:
        lines += [
            f"not started or adopted: {len(rejected):,} of {total:,} items:",
            *_alike(rejected),
            "The next `pulumi up` tries them again, as they are declared then.",
        ]
    if unclear:
        lines += [
            f"MAY HAVE BEEN STARTED, but no RunId came back: {len(unclear):,} of {total:,} items:",
            *_alike(unclear),
            ASKED,
            UNKNOWN_START_OPTIONS,
        ]
    return "\n".join(lines)


def _alike(reasons: Mapping[str, str]) -> list[str]:
    """Say of each reason, the most frequent first, which items it is about."""
    alike: dict[str, list[str]] = defaultdict(list)
    for key, why in sorted(reasons.items()):
        alike[why].append(key)
    first = sorted(alike.items(), key=lambda item: (-len(item[1]), item[1]))
    lines = [f"  - {list_names(keys, 10)}: {why}" for why, keys in first[:20]]
    if len(first) > 20:
        lines.append(f"  - and {sum(len(keys) for _, keys in first[20:]):,} more")
    return lines
