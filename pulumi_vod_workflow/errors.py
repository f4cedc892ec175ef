"""
Everything this package raises.

    VodWorkflowError
      ConfigurationError        settings or credentials, before any request
      ManifestError             a file that cannot be read as a batch's items: .problems
      CallError                 one call failed: .operation .maybe_accepted .retryable
        StoppedError              it was not sent, because the person has asked to stop
        JournalError              it was not sent, because the journal cannot take note of it
        UnknownStartOutcomeError  it was not sent, because it was sent before and never answered
        TransportError            no usable answer came
        MalformedResponseError    the answer breaks the service's own contract
        ApiError                  the service answered with an error: .code .code_n .request_id ...
          AuthenticationError       the key, the signature, or the session token
            ClockSkewError            the clock, told apart from a bad key
          PermissionDeniedError     the key is good, the right is missing
          InvalidRequestError       the service refused our parameters
          NotFoundError             no such run, template or video; never means "gone from state"
          ThrottledError            too many requests
          ServiceFailureError       5xx
      AdoptionError             an existing run is not the one that is declared
      PreflightError            the service knows no workflow or video that is to be started
      BatchError                none of a batch's items could be started
      WaitError                 runs were waited for; waiting starts nothing
        RunsFailedError           some did not succeed
        WaitTimeoutError          some have not ended in time
        WaitStoppedError          the person has stopped it

The first question about any of them is *may a run have started?* (`maybe_accepted`): if so, the
same ClientToken finds it again. The second is whether a repeat can help (`retryable`).
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
    """Warn the caller's caller about a name that the next release removes."""
    text = f"{old} was renamed to {new}; the next release removes the old name"
    warnings.warn(text, DeprecationWarning, stacklevel=3)


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule of a declaration."""

    path: str
    """Dotted path of the property, for example `input.overrideParams.snapshot[0].width`."""
    reason: str
    """What is allowed there. Never contains the value: it may be a secret."""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class VodWorkflowError(Exception):
    """Base of everything this package raises."""

    maybe_accepted: bool = False
    """A run may have been started although no RunId came back."""
    retryable: bool = False
    """Doing the same again later can help."""

    @property
    def can_repeat(self) -> bool:
        """Deprecated: the name of `retryable` in version 0.1."""
        _warn_renamed("can_repeat", "retryable")
        return self.retryable


class ConfigurationError(VodWorkflowError):
    """Settings or credentials are missing or contradict each other; nothing was sent."""


class ManifestError(VodWorkflowError):
    """
    A file cannot be read as the items of a batch; nothing was declared.

    Attributes:
        problems: all of them, `path` being `file:line`; the message lists the first 20. One alone
            is told in one line.

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
    """The run named by `existingRunId` is not the one that is declared; nothing was started."""


class PreflightError(VodWorkflowError):
    """What the service says of workflows and videos speaks against starts; nothing was started."""


class BatchError(VodWorkflowError):
    """None of a batch's items could be started, or their runs could not be read."""


class WaitError(VodWorkflowError):
    """Runs were waited for, and not all of them have succeeded; nothing was started or lost."""

    retryable = True

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))


class RunsFailedError(WaitError):
    """Some runs did not succeed."""


class WaitTimeoutError(WaitError):
    """Some runs have not ended in time."""


class WaitStoppedError(WaitError):
    """The person has asked to stop (Ctrl-C)."""


UNKNOWN_START_OPTIONS: Final = (
    "  - adopt it: existing_run_id with its RunId (free);\n"
    "  - start again: add or change a trigger of it (a new run, paid), or set vod:resendWithin for "
    "once to more seconds than have passed (the same ClientToken: free while that run goes on);\n"
    "  - forget it: remove it from the program (a run that exists goes on)."
)
"""What a person can do about a start of unknown fate."""


def start_hint(*, maybe_accepted: bool, retryable: bool) -> str:
    """Say what to do after a start that failed: may a run exist, can a repeat help."""
    if maybe_accepted:
        return (
            "A run may have started. If so the journal has a note of it, and the next update does "
            "not send it again unasked, unless within vod:resendWithin. Look for the run in the "
            f"VOD console, then choose:\n{UNKNOWN_START_OPTIONS}"
        )
    if retryable:
        return "Nothing was started by this call. Running the same update again can help."
    return "Nothing was started by this call. A repeat alone does not help."


class CallError(VodWorkflowError):
    """
    One call to the service failed.

    Attributes:
        operation: the API's Action.
        summary: what happened. Never contains what was sent.
        service_message: the service's own words, which may repeat what was sent.

    """

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
        """Replace `service_message` by a reason: the service may repeat a secret."""
        self.service_message = f"(its words are withheld, because {why})"

    @property
    def description(self) -> str:
        """Operation, `summary` and `service_message`, without advice."""
        quoted = f": {self.service_message}" if self.service_message else ""
        return f"{self.operation}: {self.summary}{quoted}"

    @property
    def what(self) -> str:
        """Deprecated: the name of `summary` in version 0.1."""
        _warn_renamed("what", "summary")
        return self.summary

    @property
    def quoted(self) -> str:
        """Deprecated: the name of `service_message` in version 0.1."""
        _warn_renamed("quoted", "service_message")
        return self.service_message

    @property
    def told(self) -> str:
        """Deprecated: the name of `description` in version 0.1."""
        _warn_renamed("told", "description")
        return self.description

    def withhold(self, why: str = "some inputs are secret") -> None:
        """Deprecated: the name of `redact_service_message` in version 0.1."""
        _warn_renamed("withhold", "redact_service_message")
        self.redact_service_message(why)

    def __str__(self) -> str:
        if self.operation == "StartWorkflow":
            advice = start_hint(maybe_accepted=self.maybe_accepted, retryable=self.retryable)
        elif self.retryable:
            advice = "Nothing is lost; running the same command again can help."
        else:
            advice = "Nothing is lost; a repeat alone does not help."
        return f"{self.description}\n{advice}"


class StoppedError(CallError):
    """A start was not sent, because the person has asked to stop (Ctrl-C)."""

    def __init__(self, operation: str) -> None:
        what = "not sent, because the update was cancelled"
        super().__init__(operation, what, maybe_accepted=False, retryable=True)


class JournalError(CallError):
    """
    The journal cannot be used, so no start is sent.

    Args:
        path: the file.
        why: what is wrong with it, and what to do.

    """

    def __init__(self, path: object, why: str) -> None:
        self.path = path
        self.why = why
        what = f"the journal {path} is needed to start nothing twice: {why}"
        super().__init__("StartWorkflow", what, maybe_accepted=False, retryable=False)


class UnknownStartOutcomeError(CallError):
    """
    A start was sent before, and what became of it is not known, so it is not sent again unasked.

    Args:
        summary: whose start, when, and which journal tells.
        others: how many other starts of the stack the journal has without an answer.

    """

    def __init__(self, summary: str, others: int = 0) -> None:
        self.others = others
        super().__init__("StartWorkflow", summary, maybe_accepted=True, retryable=False)

    def __str__(self) -> str:
        return (
            f"{self.description}.\n"
            "A run may have started, and may have ended: then the service might not "
            "find it again, but start, and bill, a second one. So nothing was sent now. Look for "
            f"the run in the VOD console, then choose:\n{UNKNOWN_START_OPTIONS}\n{self._all()}"
        )

    def _all(self) -> str:
        """Return the command that lists all starts without an answer: a preview stops at one."""
        if not self.others:
            return "`vod-workflow recover` lists what the journal has."
        starts = "1 other start" if self.others == 1 else f"{self.others:,} other starts"
        return (
            f"The journal has {starts} of this stack without an answer: `vod-workflow recover` "
            "lists all."
        )


class TransportError(CallError):
    """
    No usable answer came: DNS, connection, TLS, timeout, or a reset.

    Attributes:
        sent: the request may have left this machine; if not, no connection was made.
        refused: something answered that nothing listens there.

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
    """An answer came that is not the service's envelope, or lacks what it promises."""


class ApiError(CallError):
    """
    The service answered with an error.

    Attributes:
        code: `ResponseMetadata.Error.Code`, for example `InvalidParameter`.
        code_n: `ResponseMetadata.Error.CodeN`; only the gateway sends it.
        message: the service's own words.
        request_id: `ResponseMetadata.RequestId`, to quote in a ticket.
        http_status: status of the HTTP answer; the envelope decides, not this.
        retry_after: seconds the service asked to wait, if it did.
        server_date: the answer's `Date` header, verbatim: the service's own clock.

    """

    remedy: str | None = None
    """What to do about this class of error."""

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
        what = f"the service answered {numbered} {ids}"
        if retry_after is not None:
            what += f", and asked to wait {retry_after:.0f} s"
        super().__init__(
            operation,
            what,
            maybe_accepted=maybe_accepted,
            retryable=retryable,
            service_message=message,
        )

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n{self.remedy}" if self.remedy else text


class AuthenticationError(ApiError):
    """The access key, the signature or the session token was refused."""

    remedy = (
        "Check that vod:accessKey, vod:secretKey and vod:sessionToken (or their environment "
        "variables) belong together, are active, and have not expired."
    )


class ClockSkewError(AuthenticationError):
    """The signature's time was refused: the clock, not the key, is wrong."""

    remedy = "The key may well be right: set this machine's clock (NTP) and try again."


class PermissionDeniedError(ApiError):
    """The key is valid but may not do this."""

    remedy = (
        "Grant the key's user the VOD permission that the message names, and check that media "
        "processing is enabled for the account."
    )


class InvalidRequestError(ApiError):
    """The service refused the parameters."""


class NotFoundError(ApiError):
    """The service knows no such run, template, video or space under this account and region."""

    def __init__(self, operation: str, **fields: Any) -> None:
        super().__init__(operation, **fields)
        what = (
            "vid, direct_url and template_id"
            if operation == "StartWorkflow"
            else "the id (a run is found for 30 days)"
        )
        self.remedy = (
            f"Check {what}, and that the credentials' account and the region are the ones it "
            "belongs to."
        )


class ThrottledError(ApiError):
    """Too many requests for this account."""

    remedy = (
        "Other systems may share the account's 50 requests a second: "
        "lower vod:requestsPerSecond, or try again later."
    )


class ServiceFailureError(ApiError):
    """The service failed."""


if TYPE_CHECKING:
    UnclearStartError = UnknownStartOutcomeError
else:

    def __getattr__(name: str) -> Any:
        """Return the class that `UnclearStartError` named in version 0.1."""
        if name == "UnclearStartError":
            _warn_renamed("UnclearStartError", "UnknownStartOutcomeError")
            return UnknownStartOutcomeError
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
