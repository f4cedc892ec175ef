"""
The client of the service: it signs, sends and retries requests at the account's rate.

`core.response` has the meaning of an answer, and `core.retry` the delay of a retry.
"""

# Promise 3: httpx's errors quote the signed request, so none leaves this package.

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import anyio
import httpx

from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.config.endpoint import is_loopback
from pulumi_vod_workflow.core import operations
from pulumi_vod_workflow.core.execution import service_time
from pulumi_vod_workflow.core.operations import START_WORKFLOW, ApiRequest
from pulumi_vod_workflow.core.rate import DEFAULT_RATE, MAX_IN_FLIGHT
from pulumi_vod_workflow.core.redaction import REDACTED, make_redactor
from pulumi_vod_workflow.core.response import MAX_BODY_BYTES, ApiResponse, parse_response
from pulumi_vod_workflow.core.retry import RetryPolicy
from pulumi_vod_workflow.core.signing import Credentials, canonical_query
from pulumi_vod_workflow.errors import (
    CallError,
    ClockSkewError,
    ConfigurationError,
    MalformedResponseError,
    StoppedError,
    ThrottledError,
    TransportError,
    UnknownStartOutcomeError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.transport.attempts import CANCEL_CHECK_INTERVAL, AttemptTracker
from pulumi_vod_workflow.transport.auth import VolcengineAuth
from pulumi_vod_workflow.transport.network import proxy_for, trusted_certificates
from pulumi_vod_workflow.transport.rate_limiter import (
    HIGH_PRIORITY,
    NORMAL_PRIORITY,
    Permit,
    rate_limiter,
)
from pulumi_vod_workflow.transport.transport_errors import (
    causes,
    classify_transport_error,
    with_outcome,
)

FIRST_RETRY_LOG_AFTER: Final = 8.0
"""The delay before the first retry message, in seconds."""

RETRY_LOG_INTERVAL: Final = 30.0
"""The interval of retry messages, in seconds."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time limits of one attempt, in seconds."""

    connect: float = 5.0
    """The limit of name lookup, connection and TLS together."""
    # No call returns a lost RunId (vod-api-facts 3), so the limit is that of official SDKs (60 s).
    start: float = 60.0
    """The limit of a start's answer."""
    read: float = 20.0
    """The limit of a read's answer."""


class VodClient:
    """
    A client of the workflow calls for one endpoint and key; async, for one event loop.

    Proxies (HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificates (SSL_CERT_FILE, SSL_CERT_DIR) come
    from the environment. An endpoint on this machine uses neither. `.netrc` has no effect.

    Args:
        endpoint: the URL of the service; https, or http to this machine.
        region: the region of the signature.
        credentials: access key, secret key and session token.
        requests_per_second: the highest rate for each action; the account's limit is 50.
        clock: the clock, with its sleep function.
        policy: the retry policy.
        timeouts: the limits of each attempt.
        transport: the transport of requests, by default the network.
        jitter: a source of random numbers from 0 to 1 for the retry delays.
        log: receives a line while calls fail for some time.
        setting_name: the setting with the endpoint, for hints; empty without a setting.

    Raises:
        ConfigurationError: for an endpoint that is not a bare URL or not https, and for an
            unusable proxy or certificate of the environment.

    """

    def __init__(
        self,
        endpoint: str,
        region: str,
        credentials: Credentials,
        *,
        requests_per_second: float = DEFAULT_RATE,
        clock: Clock | None = None,
        policy: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[], float] = random.random,
        log: Callable[[str], None] = lambda _: None,
        setting_name: str = "vod:endpoint",
    ) -> None:
        url = _parse_endpoint(endpoint)
        local = is_loopback(url.host)
        if url.scheme != "https" and not (local and url.scheme == "http"):
            raise ConfigurationError(
                f"{url.host}: the endpoint must be https, except on this machine. "
                "No run was started."
            )
        self._url = url.copy_with(path="/")
        self._host = url.netloc.decode()
        self.requests_per_second = requests_per_second
        """The highest rate for each action."""
        self._clock = clock or SystemClock()
        self._policy = policy or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._jitter = jitter
        self._log = log
        self._next_retry_log_at = 0.0
        self._token = (credentials.session_token or "").encode()
        self._redact = make_redactor(
            credentials.access_key, credentials.secret_key, credentials.session_token or ""
        )
        self._in_flight: dict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(MAX_IN_FLIGHT)
        )
        connections = MAX_IN_FLIGHT * len(operations.VERSIONS)
        self._auth = VolcengineAuth(credentials, region, clock=self._clock)
        self._check_target = f"the network and {setting_name}" if setting_name else "the network"
        https = transport is None and url.scheme == "https"
        # Only https loads certificates: the load takes longer than ten starts.
        certificates = trusted_certificates(local=local) if https else None
        self._proxy = proxy_for(url, certificates) if https and not local else None
        self._http = httpx.AsyncClient(
            auth=self._auth,
            headers={"user-agent": "pulumi-vod-workflow"},
            # A retry must have the same bytes, so no cookie is stored.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            transport=transport,
            trust_env=False,
            proxy=self._proxy.address if self._proxy else None,
            verify=certificates or False,
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                # A server may close an older idle connection while a start is sent on it. The
                # start's outcome would be unknown.
                keepalive_expiry=5,
            ),
        )

    async def start_workflow(
        self,
        start: Mapping[str, Any],
        client_token: str,
        is_cancelled: Callable[[], bool] | None = None,
        recorder: StartRecorder | None = None,
    ) -> ApiResponse:
        """
        Start a run; paid: starts one run, unless an unfinished run has the same token and start.

        Args:
            start: the fields that `request_fields` returns.
            client_token: the token of the start.
            is_cancelled: whether the user has cancelled the update. The client then sends only
                retries of a start with an unknown outcome.
            recorder: records each attempt before it is sent, and a rejection after it.

        Raises:
            CallError: the last attempt's error; `maybe_accepted` if any attempt's was.
            ClaimLostError: when another operation has sent the start.

        """
        return await self.call(
            operations.start_workflow(start, client_token), is_cancelled, recorder
        )

    def claim_time(self) -> float:
        """Return the recent time of a start's claim in the journal, in seconds."""
        return rate_limiter().operation(START_WORKFLOW, self.requests_per_second).preparation_time

    async def get_workflow_execution(
        self, run_id: str, is_cancelled: Callable[[], bool] | None = None
    ) -> ApiResponse:
        """Read a run's status and tasks; free. A cancellation ends the retries."""
        return await self.call(operations.get_workflow_execution(run_id), is_cancelled)

    async def get_workflow_execution_result(
        self, run_id: str, is_cancelled: Callable[[], bool] | None = None
    ) -> ApiResponse:
        """Read a run's results; free. A cancellation ends the retries."""
        return await self.call(operations.get_workflow_execution_result(run_id), is_cancelled)

    async def get_workflow_template(
        self, template_id: str, policy: RetryPolicy | None = None
    ) -> ApiResponse:
        """Read a workflow's definition; free. `policy` replaces the client's policy."""
        return await self.call(operations.get_workflow_template(template_id), policy=policy)

    async def get_media_infos(
        self, vids: Iterable[str], policy: RetryPolicy | None = None
    ) -> ApiResponse:
        """Read the data of at most 20 videos; free. `policy` replaces the client's policy."""
        return await self.call(operations.get_media_infos(vids), policy=policy)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self,
        request: ApiRequest,
        is_cancelled: Callable[[], bool] | None = None,
        recorder: StartRecorder | None = None,
        policy: RetryPolicy | None = None,
    ) -> ApiResponse:
        """
        Make one call, with retries of the same bytes.

        Args:
            request: the request.
            is_cancelled: whether the user has cancelled the update.
            recorder: the journal's recorder of a start.
            policy: the retry policy, by default the client's.

        Raises:
            CallError: the last attempt's error; `maybe_accepted` if any attempt's was.

        """
        async with self._in_flight[request.operation]:
            return await self._call_with_retries(
                request, is_cancelled, recorder, policy or self._policy
            )

    async def _call_with_retries(
        self,
        request: ApiRequest,
        is_cancelled: Callable[[], bool] | None,
        recorder: StartRecorder | None,
        policy: RetryPolicy,
    ) -> ApiResponse:
        tracker = AttemptTracker(recorder, self._clock)
        failure: CallError | None = None
        resynced = False
        limiter = rate_limiter().operation(request.operation, self.requests_per_second)
        while True:
            permit = await limiter.acquire(
                HIGH_PRIORITY if tracker.is_ambiguous else NORMAL_PRIORITY
            )
            if is_cancelled and not tracker.must_finish and is_cancelled():
                limiter.release(permit)
                raise StoppedError(request.operation)
            # The wait for a permit is not in the delay that the policy returned.
            unclear_for = tracker.attempts_at(self._clock.monotonic()).ambiguous_for or 0.0
            if failure and unclear_for > policy.ambiguous_start_budget:
                limiter.release(permit)
                raise with_outcome(failure, maybe_accepted=True)
            skew = self._auth.skew
            try:
                await tracker.begin()
                await limiter.wait_until_due(permit)
                return await self._send(request, permit, tracker)
            except UnknownStartOutcomeError as error:  # the time ended during the wait
                raise with_outcome(failure or error, maybe_accepted=True) from None
            except CallError as error:
                failure = error
            finally:
                limiter.release(permit)
            if isinstance(failure, ThrottledError):
                rate_limiter().on_throttled(request.operation)
            tracker.record_failure(failure)
            so_far = tracker.attempts_at(self._clock.monotonic())
            delay: float | None
            if isinstance(failure, ClockSkewError) and not resynced:
                resynced = True
                delay = 0.0 if self._correct_clock(failure, skew) else None
            else:
                delay = policy.next_delay(request.operation, failure, so_far, self._jitter())
            if delay is None:
                self._add_clock_skew(failure)
                await tracker.flush()
                raise with_outcome(failure, maybe_accepted=tracker.is_ambiguous)
            self._log_retrying(failure, self._clock.monotonic(), so_far.elapsed)
            if delay:
                await self._sleep_unless_cancelled(delay, is_cancelled)

    async def _sleep_unless_cancelled(
        self, delay: float, is_cancelled: Callable[[], bool] | None
    ) -> None:
        """Wait until a delay has passed or the user cancels."""
        if is_cancelled is None:
            await self._clock.sleep(delay)
            return
        while delay > 0 and not is_cancelled():
            part = min(delay, CANCEL_CHECK_INTERVAL)
            await self._clock.sleep(part)
            delay -= part

    def _log_retrying(self, error: CallError, now: float, waited: float) -> None:
        """Log the cause of retries, at most once in `RETRY_LOG_INTERVAL` for all calls."""
        if waited >= FIRST_RETRY_LOG_AFTER and now >= self._next_retry_log_at:
            self._next_retry_log_at = now + RETRY_LOG_INTERVAL
            self._log(
                f"vod: retrying {error.operation}, without success for {waited:.0f} s: "
                f"{error.summary}"
            )

    def _correct_clock(self, error: ClockSkewError, used: timedelta) -> bool:
        """
        Adopt the service's time, and return whether a retry can help.

        Args:
            error: the error with the service's time.
            used: the skew in the signature of the failed attempt.

        """
        # vod-api-facts 8: InvalidTimestamp is worth one retry after resync to the `Date` header.
        # Many calls fail together, and the first one corrects the clock for all.
        if error.server_date is None:
            return False
        now = self._clock.now()
        self._auth.skew = service_time(error.server_date, now) - now
        return abs(self._auth.skew - used) >= timedelta(seconds=1)

    def _add_clock_skew(self, error: CallError) -> None:
        """Add the difference of this machine's clock to the error's summary."""
        if isinstance(error, ClockSkewError) and error.server_date is not None:
            now = self._clock.now()
            ahead = (now - service_time(error.server_date, now)).total_seconds()
            side = "ahead of" if ahead > 0 else "behind"
            error.summary += f"; this machine's clock is {abs(ahead):.0f} s {side} the service's"

    async def _send(
        self, request: ApiRequest, permit: Permit, tracker: AttemptTracker
    ) -> ApiResponse:
        trace = _RequestTrace(permit, tracker)
        headers = {"content-type": request.content_type} if request.content_type else {}
        connecting = self._timeouts.connect
        starts = request.operation == START_WORKFLOW
        reading = self._timeouts.start if starts else self._timeouts.read
        try:
            # httpx's timeouts restart with each byte. The outer one limits a slow answer, too.
            with anyio.fail_after(connecting + reading):
                async with self._http.stream(
                    request.method,
                    self._url.copy_with(query=canonical_query(request.query).encode()),
                    content=request.body or None,
                    headers=headers,
                    timeout=httpx.Timeout(reading, connect=connecting, pool=None),
                    extensions={"trace": trace.trace},
                ) as response:
                    permit.mark_sent()  # a transport without a network has no trace events
                    body = await _read_body(response)
        except Exception as error:  # noqa: BLE001 - after any error a run may exist
            failure = self._failure(request.operation, error, trace)
        else:
            if response.is_redirect:
                # A redirected request would carry the session token to another host.
                raise MalformedResponseError(
                    request.operation,
                    f"{self._host} redirects [HTTP {response.status_code}], and the client does "
                    f"not follow: check {self._check_target}",
                    maybe_accepted=False,
                    retryable=False,
                )
            # The state records results, so a quoted session token must not be in one.
            if self._token:
                body = body.replace(self._token, REDACTED.encode())
            return parse_response(
                request.operation, response.status_code, response.headers, body, self._redact
            )
        raise failure  # outside of the handler: httpx's error quotes the signed request

    def _failure(self, operation: str, error: Exception, trace: _RequestTrace) -> TransportError:
        """Return the error of a request without an answer; it names the proxy or the endpoint."""
        what, maybe_sent, retryable = classify_transport_error(error)
        sent = maybe_sent and trace.may_be_sent
        if self._proxy and not trace.is_past_proxy:
            where = f"{self._host}: through {self._proxy}"
            what = what.format(check=self._proxy.variable)
        else:
            where, what = self._host, what.format(check=self._check_target)
        return TransportError(
            operation,
            f"{where}: {what}",
            maybe_accepted=operation == START_WORKFLOW and sent,
            retryable=retryable,
            sent=sent,
            refused=any(isinstance(cause, ConnectionRefusedError) for cause in causes(error)),
        )


class _RequestTrace:
    """The progress of a request from httpx's trace events: connection, proxy's tunnel, request."""

    def __init__(self, permit: Permit, tracker: AttemptTracker) -> None:
        self._permit = permit
        self._tracker = tracker
        self._tunnel = False
        self.may_be_sent = True
        """Whether the request may have been sent; true without trace events."""
        self.is_past_proxy = True
        """Whether the connection reaches beyond the proxy; true for a reused connection."""

    async def trace(self, event: str, details: Mapping[str, Any]) -> None:
        """
        Record a trace event of httpx.

        Raises:
            UnknownStartOutcomeError: when a retry gets its connection too late to be sent.

        """
        if event.endswith("connect_tcp.started"):
            self.may_be_sent = self.is_past_proxy = False
        elif event in {"proxy.start_tls.started", "socks.start_tls.started"}:
            self.is_past_proxy = True
        elif event.endswith("send_request_headers.started"):
            self._tunnel = details["request"].method == b"CONNECT"
            if not self._tunnel:
                self._tracker.check_resend_deadline()
            self.may_be_sent = not self._tunnel
        elif event.endswith("send_request_body.complete") and not self._tunnel:
            self._permit.mark_sent()


def _parse_endpoint(endpoint: str) -> httpx.URL:
    try:
        url = httpx.URL(endpoint)
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host or url.userinfo or url.path not in {"", "/"} or url.query or url.fragment:
        raise ConfigurationError("The endpoint must be a bare URL. No run was started.")
    return url


async def _read_body(response: httpx.Response) -> bytes:
    """Return the body of an answer, cut above `MAX_BODY_BYTES`."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_BODY_BYTES:
            break
    return bytes(body)
