"""What `vod-workflow recover` says: what is known of each start, and what to do."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from pulumi_vod_workflow.cli.formatting import clock_time, line, shown
from pulumi_vod_workflow.cli.pulumi_files.stack_export import Stack
from pulumi_vod_workflow.cli.recover.model import NOTED, UNDECIDED, Became, Interrupted, Start
from pulumi_vod_workflow.cli.runs.render_table import heading
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.text import named
from pulumi_vod_workflow.errors import UNKNOWN_START_OPTIONS

LISTED: Final = 100
"""Runs whose adoption is spelled out; JSON has all."""
OPEN: Final = (Became.UNCLEAR, Became.TOO_OLD)
"""What `pulumi up` asks about."""
UNLOCK: Final = (
    "if Pulumi says that the stack is locked, `pulumi cancel` first, once the old process has "
    "surely ended"
)
CLEAR: Final = "pulumi refresh --clear-pending-creates && pulumi up"
"""What goes on, and first removes the engine's notes of creates that were cut short."""
GO_ON: Final = "pulumi up"
NO_IMPORT: Final = (
    " (not --import-pending-creates: a run cannot be imported, and Pulumi drops the note without a "
    "word)"
)
LOST: Final = (
    "this says nothing, for there is no journal here. Run `vod-workflow recover` on the machine "
    "where the update ran, or give its --journal. If it is lost, look in the VOD console first, "
    "and adopt what is there with existing_run_id: `pulumi up` is joined to a run that has not "
    "ended, but pays for one that has ended a second time."
)
BY_NAME: Final = "found by its name only, for its inputs are secret"


@dataclass(frozen=True)
class Advice:
    """What is known of interrupted operations, in words."""

    stack: Stack
    found: Sequence[Interrupted]
    settings: Settings
    now: datetime
    unread: str = ""
    """Why no run was looked at, if any should have been."""
    forgotten: Sequence[str] = ()
    """What was just taken out of the journal."""

    @cached_property
    def has_journal(self) -> bool:
        """Whether there is a journal to tell anything."""
        return self.settings.journal.exists()

    @property
    def needs_a_decision(self) -> bool:
        """Whether the next update cannot go on by itself, or might pay twice."""
        unsent = self.of(Became.UNSENT) and not self.has_journal
        return bool(self.of(*UNDECIDED) or unsent)

    def of(self, *kinds: Became) -> list[tuple[Interrupted, Start]]:
        """Return the starts that became one of these."""
        return [
            (operation, start)
            for operation in self.found
            for start in operation.starts
            if start.became in kinds
        ]

    def text(self) -> str:
        """Return it for a person."""
        return "\n".join(map(shown, self._lines()))

    def _lines(self) -> Iterator[str]:
        yield heading(self.stack, self.now)
        if self.forgotten:
            yield f"The journal has forgotten {named([*map(line, self.forgotten)], 20)}."
            yield "What of that is still declared is started by `pulumi up`, as its preview says."
        if not self.found:
            yield "No start of ours was cut short or left without an answer: nothing to recover."
            return
        there = "" if self.has_journal else " (there is none)"
        where = f"runs are started at {self.settings.site.endpoint}"
        yield f"journal {self.settings.journal}{there}; {where}"
        for operation in self.found:
            resource, doing = operation.operation.resource, operation.operation.type
            kind = resource.type.rpartition(":")[2]
            what = f"was cut short while {doing}"
            if doing == NOTED:
                what = (
                    "was sent by an earlier update, and no state is known to hold it (its video "
                    "and workflow are as the program declared them: the journal keeps no inputs)"
                )
            yield f"\n{line(resource.name)} ({kind}) {what}:"
            yield from _starts(operation.starts)
        if self.unread:
            yield f"\nThe runs were not looked at. {self.unread}"
        yield f"\nWhat to do ({UNLOCK}):"
        yield from (f"{number}. {step}" for number, step in enumerate(self._steps(), 1))
        creating = any(operation.operation.type == "creating" for operation in self.found)
        yield f"Then: `{CLEAR if creating else GO_ON}`{NO_IMPORT if creating else ''}"

    def _steps(self) -> Iterator[str]:
        if self.of(*OPEN):
            yield (
                f"{self._names(*OPEN)}: `pulumi up` stops and asks, and starts nothing of it "
                "(without --skip-preview: nothing at all), until you have looked for a run of that "
                "video, workflow and time in the VOD console and chosen for each (what you have "
                f"removed from the program is not asked about any more):\n{UNKNOWN_START_OPTIONS}"
            )
        if self.of(Became.OTHER):
            yield (
                f"{self._names(Became.OTHER)}: `pulumi up` starts it anew, which is paid, for it "
                "is declared otherwise than what was sent (or for another vod:endpoint or "
                "vod:region). To keep the run that there is, declare it as it was, or adopt it."
            )
        if self.of(*UNDECIDED):
            yield (
                f"{self._names(*UNDECIDED)}: what you have looked for and not found, or do not "
                "want, goes out of the journal with `vod-workflow recover --forget NAME`. What is "
                "still declared is then started, as its preview says: joined to a run of the very "
                "same start that has not ended, paid otherwise."
            )
        if self.of(Became.ACCEPTED):
            yield (
                f"{self._names(Became.ACCEPTED)}: on this machine, with this journal, `pulumi up` "
                "takes over what was accepted, if it is declared as it was: free, and its preview "
                "says so. On another machine name the run in the program first, free as well:"
            ) + "".join(self._adoptions())
        troubled = [line(start.name) for _, start in self.of(Became.ACCEPTED) if start.trouble]
        if troubled:
            yield (
                f"{named(troubled, 20)}: could not be read. `pulumi up` reads it, too, and starts "
                "nothing if that fails: check that the account and the region are the run's."
            )
        if self.of(Became.RESENT):
            yield (
                f"{self._names(Became.RESENT)}: `pulumi up` within vod:resendWithin "
                f"({self.settings.resend_within:g} s) sends it again as the same start; later it "
                "asks."
            )
        if self.of(Became.HELD):
            names = self._names(Became.HELD)
            yield f"{names}: `pulumi preview` says whether a new run is asked for."
        if self.of(Became.UNSENT):
            usual = (
                "`pulumi up` starts what was not sent, as its preview says: each is paid once. (So "
                "says this journal, which knows only what was sent with it.)"
            )
            yield f"{self._names(Became.UNSENT)}: {usual if self.has_journal else LOST}"

    def _names(self, *kinds: Became) -> str:
        return named([*dict.fromkeys(line(start.name) for _, start in self.of(*kinds))], 20)

    def _adoptions(self) -> Iterator[str]:
        """Say what to write into the program."""
        accepted = self.of(Became.ACCEPTED)
        for operation, start in accepted[:LISTED]:
            name = json.dumps(line(operation.operation.resource.name))
            run_id = json.dumps(line(start.run_id))
            if start.key:
                item = json.dumps(line(start.key))
                yield f'\n     WorkflowBatch({name}): items[{item}]: "existing_run_id": {run_id}'
            else:
                yield f"\n     WorkflowRun({name}): existing_run_id={run_id}"
        if len(accepted) > LISTED:
            yield f"\n     and {len(accepted) - LISTED:,} more: see --format json"

    def as_json(self) -> str:
        """Return it for a program."""
        stack, settings = self.stack, self.settings
        told = {
            "stack": stack.name,
            "project": stack.project,
            "stateWrittenAt": stack.written.isoformat() if stack.written else None,
            "journal": str(settings.journal),
            "journalExists": self.has_journal,
            "needsADecision": self.needs_a_decision,
            "unread": self.unread or None,
            "forgotten": [*self.forgotten],
            "operations": [
                {
                    "urn": operation.operation.resource.urn,
                    "type": operation.operation.type,
                    "starts": [_as_json(start) for start in operation.starts],
                }
                for operation in self.found
            ],
        }
        return json.dumps(told, indent=2)


def _starts(starts: Sequence[Start]) -> Iterator[str]:
    """Say what each became; those alike together."""
    together: dict[str, list[str]] = defaultdict(list)
    for start in starts:
        together[_became(start)].append(line(start.name))
    for words, names in together.items():
        yield f"  {named(names, 10)}: {words}"


def _became(start: Start) -> str:
    by_name = "" if start.exact else f" ({BY_NAME})"
    run_id = line(start.run_id)
    if start.entry and start.became in {Became.UNCLEAR, Became.RESENT}:
        told = f"sent {clock_time(start.entry.sent_at)}, never answered: MAY BE A RUN"
        return f"{told} of {line(start.what)}{by_name}" if start.what else told + by_name
    if start.became is Became.OTHER:
        when = clock_time(start.entry.sent_at) if start.entry else ""
        what = f"became {run_id}" if run_id else "never answered: MAY BE A RUN"
        return f"not known to have been sent so; another start of it, sent {when}, {what}"
    if start.became in {Became.ACCEPTED, Became.TOO_OLD}:
        text = f"became {run_id}, accepted {line(start.run.get('submittedAt'))}"
        if start.became is Became.TOO_OLD:
            text += ", too old to be found by the service"
        elif start.trouble:
            text += f"; it cannot be read: {line(start.trouble)}"
        elif start.phase:
            text += f", {line(start.phase)} just now"
        return text + by_name
    return {
        Became.RECORDED: f"nothing is lost: the state holds its run{by_name}",
        Became.HELD: f"not known to have been sent; the state holds {run_id} of it",
        Became.ADOPTED: f"adopts {run_id}, which starts nothing",
    }.get(start.became, "not known to have been sent")


def _as_json(start: Start) -> dict[str, Any]:
    return {
        "name": start.name,
        "resource": start.resource,
        "item": start.key or None,
        "became": start.became.name.lower(),
        "runId": start.run_id or None,
        "sentAt": start.entry.sent_at.isoformat() if start.entry else None,
        "submittedAt": start.run.get("submittedAt"),
        "exact": start.exact,
        "declared": start.what or None,
        "phase": start.phase or None,
        "trouble": start.trouble or None,
    }
