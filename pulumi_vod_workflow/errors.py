"""
All exceptions of this package.

    ```text
    VodWorkflowError
      ConfigurationError        wrong settings or credentials; no request was sent
      ManifestError             a file is not readable as items of a batch: .problems
      CallError                 one call failed: .operation .maybe_accepted .retryable
        StoppedError              not sent: the user cancelled the update
        JournalError              not sent: the journal cannot be read or written
        UnknownStartOutcomeError  not sent: an earlier send of the start has no answer
          StartInProgressError    not sent: another update is starting this run
        TransportError            no usable answer
        MalformedResponseError    an answer without the service's envelope or result
        ApiError                  an error of the service: .code .code_n .request_id ...
          AuthenticationError       rejected key, signature or session token
            ClockSkewError            rejected time of the signature
          PermissionDeniedError     valid key without the permission
          InvalidRequestError       rejected parameters
          NotFoundError             no such run, template or video; the state stays
          ThrottledError            too many requests
          ServiceFailureError       failure of the service (5xx)
      AdoptionError             the existing run differs from the declaration
      PreflightError            the service does not know a workflow or video of a start
      BatchError                no item of a batch could be started
        BatchStoppedError         a batch stopped at `maxFailures`: .id .state
      WaitError                 a wait failed; a wait starts no run
        RunsFailedError           some runs did not succeed
        WaitTimeoutError          some runs have not ended in time
        WaitStoppedError          the user cancelled the wait
    ```

Each exception answers two questions. May a run exist (`maybe_accepted`)? Can a retry help
(`retryable`)? A retry with the same ClientToken finds an unfinished run.

The text of an exception has, in this order: the failed operation, the cause, whether a run may
exist, and lines that start with `hint:`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

__all__ = [
    "AdoptionError",
    "ApiError",
    "AuthenticationError",
    "BatchError",
    "BatchStoppedError",
    "CallError",
    "ClockSkewError",
    "ConfigurationError",
    "InvalidRequestError",
    "JournalError",
    "MalformedResponseError",
    "ManifestError",
    "NotFoundError",
    "PermissionDeniedError",
    "PreflightError",
    "Problem",
    "RunsFailedError",
    "ServiceFailureError",
    "StartInProgressError",
    "StoppedError",
    "ThrottledError",
    "TransportError",
    "UnknownStartOutcomeError",
    "VodWorkflowError",
    "WaitError",
    "WaitStoppedError",
    "WaitTimeoutError",
]


def _warn_renamed(old: str, new: str) -> None:
    """Warn the caller of a deprecated name."""
    text = f"{old} was renamed to {new}; the next release removes the old name"
    # Level 3 is the user's line: this function, the property, its caller.
    warnings.warn(text, DeprecationWarning, stacklevel=3)


def _hint_lines(hints: str) -> str:
    """Return a text with `hint:` before each line that has none."""
    lines = hints.split("\n")
    return "\n".join(line if line.startswith("hint: ") else f"hint: {line}" for line in lines)


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken rule of a declaration."""

    path: str
    """The dotted path of the property, for example `input.overrideParams.snapshot[0].width`."""
    # Promise 3 (secrets stay secret): a property's value may be a secret.
    reason: str
    """The rule that is broken. It never contains the value."""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class VodWorkflowError(Exception):
    """The base class of all exceptions of this package."""

    maybe_accepted: bool = False
    """Whether a run may exist although no RunId was returned."""
    retryable: bool = False
    """Whether the same operation can succeed later."""

    @property
    def can_repeat(self) -> bool:
        """A deprecated alias of `retryable`, the name in version 0.1."""
        _warn_renamed("can_repeat", "retryable")
        return self.retryable


class ConfigurationError(VodWorkflowError):
    """An error of settings or credentials: missing or contradictory. No request was sent."""


class ManifestError(VodWorkflowError):
    """
    An error of a file that is not readable as the items of a batch. No resource was declared.

    Attributes:
        problems: all problems, each with `file:line` as its `path`. The message lists the
            first 20. A single problem is on the first line.

    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(f"The items cannot be read: {self.problems[0]}")
            return
        lines = [f"  - {problem}" for problem in self.problems[:20]]
        if len(self.problems) > 20:
            lines.append(f"  ... and {len(self.problems) - 20:,} more")
        super().__init__("\n".join(["The items cannot be read:", *lines]))


class AdoptionError(VodWorkflowError):
    """An error of `existingRunId`: its run differs from the declaration. No run was started."""


class PreflightError(VodWorkflowError):
    """An error of the preflight: the service rejects a workflow or video. No run was started."""


class BatchError(VodWorkflowError):
    """An error of a batch: no item could be started, or its runs could not be read."""


class BatchStoppedError(BatchError):
    """
    An error of a batch that did not send all starts, because of `maxFailures`.

    Attributes:
        id: the id of the batch.
        state: the state with all runs that were started. The engine keeps it.

    """

    retryable = True

    def __init__(self, text: str, id_: str, state: dict[str, Any]) -> None:
        super().__init__(text)
        self.id = id_
        self.state = state


class WaitError(VodWorkflowError):
    """An error of a wait: not all runs have succeeded. A wait starts no run."""

    retryable = True

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))


class RunsFailedError(WaitError):
    """An error of a wait: some runs did not succeed."""


class WaitTimeoutError(WaitError):
    """An error of a wait: some runs have not ended in time."""


class WaitStoppedError(WaitError):
    """An error of a wait: the user cancelled it (Ctrl-C)."""


UNKNOWN_START_OPTIONS: Final = (
    "hint: adopt the run: set `existing_run_id` to its RunId (free)\n"
    "hint: or start again: add or change a trigger (paid: starts one run)\n"
    "hint: or send the same start again: set `vod:resendWithin` for one update to more seconds "
    "than have passed (free while the first run is unfinished)\n"
    "hint: or discard the start: remove it from the program (an existing run keeps running and is "
    "billed)"
)
"""The choices after a start with an unknown outcome, one `hint:` a line."""

_ADOPT, _TRIGGER, *_ = UNKNOWN_START_OPTIONS.splitlines()
RENAMED_START_OPTIONS: Final = f"{_ADOPT}\n{_TRIGGER}"
"""The choices if another resource, or the stack by another name, has sent the start."""


def runner_journal_warning(journal: object) -> str:
    """Return the lines about an unknown outcome that only a CI runner's journal has, if any."""
    if journal is None:
        return ""
    # The engine removes the pending create of a start that fails without a kill. So the next
    # runner finds nothing in the state.
    return (
        f"Only this CI runner has the journal {journal}. The next runner does not have this "
        "journal and may pay again.\n"
        "hint: on this machine, run `vod-workflow recover` before the next update\n"
        "hint: let all runners share a journal: `vod:journal: s3://BUCKET/PREFIX`; the next "
        "`pulumi preview` on this machine copies the records\n"
    )


def start_hint(*, maybe_accepted: bool, retryable: bool, runner_journal: object = None) -> str:
    """
    Return the text after a failed start: whether a run may exist, and hints.

    Args:
        maybe_accepted: as `CallError.maybe_accepted`.
        retryable: as `CallError.retryable`.
        runner_journal: as `CallError.runner_journal`.

    """
    if maybe_accepted:
        return (
            "A run may exist. The journal has each start that was sent. The next update sends such "
            "a start again only within `vod:resendWithin` seconds.\n"
            f"{runner_journal_warning(runner_journal)}"
            f"hint: look for the run in the VOD console, then choose\n{UNKNOWN_START_OPTIONS}"
        )
    if retryable:
        return "No run was started.\nhint: run the same update again"
    return "No run was started. A retry alone does not help."


class CallError(VodWorkflowError):
    """
    An error of one call to the service.

    Attributes:
        operation: the API's Action.
        summary: the cause. It never contains request data.
        service_message: the message of the service, which may quote the request.

    """

    remedy: str | None = None
    """The actions that help, one a line; the text has each after `hint:`."""
    runner_journal: object = None
    """The journal of a start with an unknown outcome, if only this CI runner has it."""

    def __init__(
        self,
        operation: str,
        summary: str,
        *,
        maybe_accepted: bool,
        retryable: bool,
        service_message: str = "",
    ) -> None:
        self.operation = operation
        self.summary = summary
        self.service_message = service_message
        self.maybe_accepted = maybe_accepted
        self.retryable = retryable
        super().__init__(summary)

    def redact_service_message(self, why: str = "some inputs are secret") -> None:
        """Replace `service_message` by a reason."""
        # The service may quote the request, and so a secret input.
        self.service_message = f"(message hidden: {why})"

    @property
    def description(self) -> str:
        """The operation, `summary` and `service_message`, without hints."""
        quoted = f": {self.service_message}" if self.service_message else ""
        return f"{self.operation}: {self.summary}{quoted}"

    @property
    def what(self) -> str:
        """A deprecated alias of `summary`, the name in version 0.1."""
        _warn_renamed("what", "summary")
        return self.summary

    @property
    def quoted(self) -> str:
        """A deprecated alias of `service_message`, the name in version 0.1."""
        _warn_renamed("quoted", "service_message")
        return self.service_message

    @property
    def told(self) -> str:
        """A deprecated alias of `description`, the name in version 0.1."""
        _warn_renamed("told", "description")
        return self.description

    def withhold(self, why: str = "some inputs are secret") -> None:
        """Call `redact_service_message`; deprecated, the name in version 0.1."""
        _warn_renamed("withhold", "redact_service_message")
        self.redact_service_message(why)

    def __str__(self) -> str:
        if self.operation == "StartWorkflow":
            outcome = start_hint(
                maybe_accepted=self.maybe_accepted,
                retryable=self.retryable,
                runner_journal=self.runner_journal,
            )
        elif self.retryable:
            outcome = "No run was started or lost.\nhint: run the same command again"
        else:
            outcome = "No run was started or lost. A retry alone does not help."
        text = f"{self.description}\n{outcome}"
        return f"{text}\n{_hint_lines(self.remedy)}" if self.remedy else text


class StoppedError(CallError):
    """An error of a call that was not sent: the user cancelled the update (Ctrl-C)."""

    def __init__(self, operation: str) -> None:
        summary = "not sent, because the update was cancelled"
        super().__init__(operation, summary, maybe_accepted=False, retryable=True)


class JournalError(CallError):
    """
    An error of the journal: no start was sent.

    `retryable` is always false: each store has its own retries, and the remedy names what helps.

    Args:
        path: the path of the file, or the URL without credentials.
        why: the cause.
        remedy: the actions that help, one a line.

    """

    # Journal-facts: a start without a record may be paid again after a kill, so none is sent.
    def __init__(self, path: object, why: str, remedy: str | None = None) -> None:
        self.path = path
        self.why = why
        self.remedy = remedy
        # The text also follows "run R started, but" and "not sent after".
        summary = f"the journal {path} cannot be read or written: {why}"
        # The client repeats a retryable error for minutes. An update must name a store that it
        # cannot reach within seconds.
        super().__init__("StartWorkflow", summary, maybe_accepted=False, retryable=False)

    def __str__(self) -> str:
        # Whether a retry helps depends on the cause, so only the remedy tells what helps.
        text = f"{self.summary}\nNo run was started."
        return f"{text}\n{_hint_lines(self.remedy)}" if self.remedy else text


class UnknownStartOutcomeError(CallError):
    """
    An error of a start with an unknown outcome: it was sent before, and got no answer.

    Args:
        summary: the resource, the time of the send, and the journal with its record.
        others: the number of other starts of the stack that the journal has without an answer.
        is_renamed: whether another resource, or the stack by another name, has sent the start.
        former_stacks: the other names of the stack.
        unread_stacks: the reason why the state or the project's other stacks cannot be read. A
            resource in them may have the start.

    """

    def __init__(
        self,
        summary: str,
        others: int = 0,
        *,
        is_renamed: bool = False,
        former_stacks: Sequence[str] = (),
        unread_stacks: str = "",
    ) -> None:
        self.others = others
        self.is_renamed = is_renamed
        self.former_stacks = tuple(former_stacks)
        self.unread_stacks = unread_stacks
        super().__init__("StartWorkflow", summary, maybe_accepted=True, retryable=False)

    def __str__(self) -> str:
        options = RENAMED_START_OPTIONS if self.is_renamed else UNKNOWN_START_OPTIONS
        command = " ".join(
            ["vod-workflow recover", *(f"--former-stack {name}" for name in self.former_stacks)]
        )
        # Facts 4: no document tells whether the service joins a repeated start to an ended run.
        return (
            f"{self.description}.\n"
            "A run may exist. If that run has ended, the same start may be paid again, so the "
            f"provider did not send the start now.{self._other_starts()}\n"
            f"{self._doubt()}"
            f"hint: look for the run in the VOD console, then choose\n{options}\n"
            f"hint: run `{command}` to list all starts without an answer\n"
            f"hint: or, if the console has no run of any of them, run `{command} --forget-all` "
            "(`pulumi up` then starts them: paid)"
        )

    def _doubt(self) -> str:
        """Return the lines about stacks that cannot be read."""
        if not self.unread_stacks:
            return ""
        return (
            "The start may belong to another resource or stack. The provider cannot read the "
            f"stacks: {self.unread_stacks}\n"
            "hint: correct the cause, then repeat the command: the provider decides again\n"
        )

    def _other_starts(self) -> str:
        """Return a sentence about the other starts; a preview stops at the first one."""
        if not self.others:
            return ""
        starts = "1 other start" if self.others == 1 else f"{self.others:,} other starts"
        return f" The journal has {starts} of this stack without an answer."


class StartInProgressError(UnknownStartOutcomeError):
    """
    An error of a start that another update is sending: this update did not send it.

    Args:
        summary: the resource, the time of the other update's send, and the journal with its record.

    """

    def __init__(self, summary: str) -> None:
        super().__init__(summary)
        self.retryable = True  # after the end of the other update

    def __str__(self) -> str:
        return (
            f"{self.description}.\n"
            "A run may exist. This update did not send the start, because the same start of two "
            "updates may be paid twice.\n"
            "hint: wait for the end of the other update, then run the same update again; it reuses "
            "the run (free)\n"
            "hint: if the other update hangs, end its processes; the next preview then shows the "
            "choices"
        )


class TransportError(CallError):
    """
    An error of the network: DNS, connection, TLS, timeout, or a reset.

    Attributes:
        sent: whether the request may have left this machine.
        refused: whether the address refused the connection.

    """

    def __init__(
        self,
        operation: str,
        summary: str,
        *,
        maybe_accepted: bool,
        retryable: bool,
        sent: bool = True,
        refused: bool = False,
    ) -> None:
        self.sent = sent
        self.refused = refused
        super().__init__(operation, summary, maybe_accepted=maybe_accepted, retryable=retryable)


class MalformedResponseError(CallError):
    """An error of an answer: it is not the service's envelope, or has no result."""


class ApiError(CallError):
    """
    An error that the service returned.

    Attributes:
        code: `ResponseMetadata.Error.Code`, for example `InvalidParameter`.
        code_n: `ResponseMetadata.Error.CodeN`; only the gateway sends it.
        message: the message of the service.
        request_id: `ResponseMetadata.RequestId`, to quote in a ticket.
        http_status: the HTTP status. The envelope, not the status, makes an answer an error.
        retry_after: the answer's `Retry-After` in seconds, if it has the header.
        server_date: the answer's `Date` header, verbatim: the service's clock.

    """

    def __init__(
        self,
        operation: str,
        *,
        code: str,
        message: str,
        http_status: int,
        code_n: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        server_date: str | None = None,
        maybe_accepted: bool = False,
        retryable: bool = False,
    ) -> None:
        self.code = code
        self.code_n = code_n
        self.message = message
        self.request_id = request_id
        self.http_status = http_status
        self.retry_after = retry_after
        self.server_date = server_date
        numbered = f"{code} ({code_n})" if code_n is not None else code
        ids = f"[HTTP {http_status}, RequestId {request_id or 'none'}]"
        summary = f"the service answered {numbered} {ids}"
        if retry_after is not None:
            summary += f", Retry-After {retry_after:.0f} s"
        super().__init__(
            operation,
            summary,
            maybe_accepted=maybe_accepted,
            retryable=retryable,
            service_message=message,
        )


class AuthenticationError(ApiError):
    """An error of the access key, the signature or the session token."""

    remedy = (
        "check that `vod:accessKey`, `vod:secretKey` and `vod:sessionToken` (or their environment "
        "variables) belong together, are active, and have not expired"
    )


class ClockSkewError(AuthenticationError):
    """An error of the signature's time: this machine's clock, not the key, is wrong."""

    remedy = "set this machine's clock (NTP), then run the same command again"


class PermissionDeniedError(ApiError):
    """An error of permissions: the key is valid, but its user may not make this call."""

    remedy = (
        "grant the key's user the VOD permission that the message names\n"
        "check that media processing is enabled for the account"
    )


class InvalidRequestError(ApiError):
    """An error of the parameters: the service rejects them."""


class NotFoundError(ApiError):
    """An error of an id: the account and region have no such run, template, video or space."""

    def __init__(self, operation: str, **fields: Any) -> None:
        super().__init__(operation, **fields)
        # Facts 1: the service returns a run for 30 days.
        subject = (
            "`vid`, `direct_url` and `template_id`"
            if operation == "StartWorkflow"
            else "the id (the service has a run for 30 days)"
        )
        self.remedy = f"check {subject}\ncheck the account of the credentials, and `vod:region`"


class ThrottledError(ApiError):
    """An error of the rate: the account sends too many requests."""

    # Facts 7: 50 requests a second for each action and main account, all users together.
    remedy = (
        "lower `vod:requestsPerSecond` if other systems share the account's 50 requests a second"
    )


class ServiceFailureError(ApiError):
    """An error inside the service."""


if TYPE_CHECKING:
    UnclearStartError = UnknownStartOutcomeError
else:

    def __getattr__(name: str) -> Any:
        """Return the class that `UnclearStartError` named in version 0.1."""
        if name == "UnclearStartError":
            _warn_renamed("UnclearStartError", "UnknownStartOutcomeError")
            return UnknownStartOutcomeError
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
