"""
The only I/O with the service: send, sign, repeat as the policy says, at the account's rate.

It has no rule of its own: what an answer means is in `core.envelope`, whether to repeat is in
`core.policy`. It is long because it is the only module that knows httpx: its requests, its signing
hook and all of its errors, none of which may be seen outside.
"""

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

from pulumi_vod_workflow._httpx import httpx
from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.config.endpoint import is_loopback
from pulumi_vod_workflow.core import operations
from pulumi_vod_workflow.core.execution import service_time
from pulumi_vod_workflow.core.operations import ApiRequest
from pulumi_vod_workflow.core.redaction import REDACTED, make_redactor
from pulumi_vod_workflow.core.response import MAX_BODY_BYTES, ApiResponse, parse_response
from pulumi_vod_workflow.core.retry import START_WORKFLOW, RetryPolicy
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
from pulumi_vod_workflow.transport.network import proxy_for, trusted
from pulumi_vod_workflow.transport.rate_limiter import (
    HIGH_PRIORITY,
    NORMAL_PRIORITY,
    Permit,
    rate_limiter,
)
from pulumi_vod_workflow.transport.transport_errors import (
    _causes,
    classify_transport_error,
    with_outcome,
)

DEFAULT_RATE: Final = 50.0
"""Requests a second for each action and account (page, 注意事项; facts 7)."""

MAX_IN_FLIGHT: Final = 128
"""
Calls of one action at a time, their repeats included: enough for answers that take 2.5 s.

Who may send has a connection at once: what the limiter let through never waits for one.
"""

FIRST_RETRY_LOG_AFTER: Final = 8.0
"""Seconds for which a failing call says nothing."""

RETRY_LOG_INTERVAL: Final = 30.0
"""Seconds between two lines about failing calls."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one attempt may take, in seconds."""

    connect: float = 5.0
    """For the name, the connection and TLS together."""
    start: float = 60.0
    """For a start's answer: long, as official clients', because it cannot be asked for later."""
    read: float = 20.0
    """For a read's answer."""


class VodClient:
    """
    The workflow calls of one site under one key; async, for one event loop.

    Proxies (HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificates (SSL_CERT_FILE, SSL_CERT_DIR) are
    taken from the environment, but nothing of it counts for an endpoint on this machine. A `.netrc`
    never adds a password. Connections are HTTP/1.1 and kept for 5 s after use: one that idles
    longer may be closed by the other side just when a start is sent, whose fate would then be
    unknown.

    Args:
        endpoint: URL of the service; https, or http to this machine.
        region: region of the signature.
        credentials: the key triple.
        requests_per_second: at most, for each action; 50 is the account's limit.
        clock: time and sleep.
        policy: when to repeat.
        timeouts: of each attempt.
        transport: what carries requests; the network by default.
        jitter: random numbers from 0 to 1, which spread the repeats.
        say: where a line goes when calls have been failing for a while.
        named_by: the setting that leads to the endpoint, for advice; empty if none does.

    Raises:
        ConfigurationError: for an endpoint that is no bare URL, or would send signatures in the
            clear; for a proxy or certificates of the environment that cannot be used.

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
        say: Callable[[str], None] = lambda _: None,
        named_by: str = "vod:endpoint",
    ) -> None:
        url = _parse_endpoint(endpoint)
        local = is_loopback(url.host)
        if url.scheme != "https" and not (local and url.scheme == "http"):
            raise ConfigurationError(
                f"{url.host}: only https may leave this machine. Nothing was sent."
            )
        self._url = url.copy_with(path="/")
        self._host = url.netloc.decode()
        self._rate = requests_per_second
        self._clock = clock or SystemClock()
        self._policy = policy or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._jitter = jitter
        self._say = say
        self._silent_until = 0.0
        self._token = (credentials.session_token or "").encode()
        self._hide = make_redactor(
            credentials.access_key, credentials.secret_key, credentials.session_token or ""
        )
        self._in_flight: dict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(MAX_IN_FLIGHT)
        )
        connections = MAX_IN_FLIGHT * len(operations.VERSIONS)
        self._auth = VolcengineAuth(credentials, region, clock=self._clock)
        self._check = f"the network and {named_by}" if named_by else "the network"
        https = transport is None and url.scheme == "https"
        # Loading certificates takes longer than ten starts.
        certificates = trusted(local=local) if https else None
        self._proxy = proxy_for(url, certificates) if https and not local else None
        self._http = httpx.AsyncClient(
            auth=self._auth,
            headers={"user-agent": "pulumi-vod-workflow"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # a repeat is the same
            transport=transport,
            trust_env=False,
            proxy=self._proxy.address if self._proxy else None,
            verify=certificates or False,
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=5,
            ),
        )

    async def start_workflow(
        self,
        start: Mapping[str, Any],
        client_token: str,
        stopped: Callable[[], bool] | None = None,
        note: StartRecorder | None = None,
    ) -> ApiResponse:
        """
        Start a run: costs one run, unless an unfinished one has the same token and start.

        Args:
            start: as `start.start_of` returns it.
            client_token: what makes a repeat the same start.
            stopped: whether the person has asked to stop: then nothing is sent any more, but for
                the repeats of a start that may have been accepted.
            note: what records each attempt before it is sent, and a refusal after.

        Raises:
            CallError: the last attempt's error; `maybe_accepted` if any attempt's was.
            ClaimLostError: when another operation has sent it; this one may have sent it before.

        """
        return await self.call(operations.start_workflow(start, client_token), stopped, note)

    async def get_workflow_execution(self, run_id: str) -> ApiResponse:
        """Read a run's status and tasks; free."""
        return await self.call(operations.get_workflow_execution(run_id))

    async def get_workflow_execution_result(self, run_id: str) -> ApiResponse:
        """Read what a run has produced; free."""
        return await self.call(operations.get_workflow_execution_result(run_id))

    async def get_workflow_template(
        self, template_id: str, policy: RetryPolicy | None = None
    ) -> ApiResponse:
        """Read a workflow's definition; free. `policy` takes the place of the client's."""
        return await self.call(operations.get_workflow_template(template_id), policy=policy)

    async def get_media_infos(
        self, vids: Iterable[str], policy: RetryPolicy | None = None
    ) -> ApiResponse:
        """Read which of at most 20 videos there are; free. `policy` as above."""
        return await self.call(operations.get_media_infos(vids), policy=policy)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self,
        request: ApiRequest,
        stopped: Callable[[], bool] | None = None,
        note: StartRecorder | None = None,
        policy: RetryPolicy | None = None,
    ) -> ApiResponse:
        """
        Make one call, repeated byte for byte as long as the policy says, by default the client's.

        Raises:
            CallError: the last attempt's error; `maybe_accepted` if any attempt's was.

        """
        async with self._in_flight[request.operation]:
            return await self._call_with_retries(request, stopped, note, policy or self._policy)

    async def _call_with_retries(
        self,
        request: ApiRequest,
        stopped: Callable[[], bool] | None,
        note: StartRecorder | None,
        policy: RetryPolicy,
    ) -> ApiResponse:
        tries = AttemptTracker(note, self._clock)
        failure: CallError | None = None
        resynced = False
        pace = rate_limiter().operation(request.operation, self._rate)
        while True:
            turn = await pace.acquire(HIGH_PRIORITY if tries.unclear else NORMAL_PRIORITY)
            if stopped and not tries.underway and stopped():
                pace.release(turn)
                raise StoppedError(request.operation)
            # The wait for a turn was not foreseen by the policy.
            unclear_for = tries.so_far(self._clock.monotonic()).ambiguous_for or 0.0
            if failure and unclear_for > policy.ambiguous_start_budget:
                pace.release(turn)
                raise with_outcome(failure, maybe_accepted=True)
            skew = self._auth.skew
            try:
                await tries.begin()
                return await self._send(request, turn, tries)
            except UnknownStartOutcomeError as error:  # the window has closed while it waited
                raise with_outcome(failure or error, maybe_accepted=True) from None
            except CallError as error:
                failure = error
            finally:
                pace.release(turn)
            if isinstance(failure, ThrottledError):
                rate_limiter().on_throttled(request.operation)
            tries.failed(failure)
            so_far = tries.so_far(self._clock.monotonic())
            delay: float | None
            if isinstance(failure, ClockSkewError) and not resynced:
                resynced = True
                delay = 0.0 if self._correct_clock(failure, skew) else None
            else:
                delay = policy.next_delay(request.operation, failure, so_far, self._jitter())
            if delay is None:
                self._add_clock_skew(failure)
                await tries.ended()
                raise with_outcome(failure, maybe_accepted=tries.unclear)
            self._log_retrying(failure, self._clock.monotonic(), so_far.elapsed)
            if delay:
                await self._sleep_unless_cancelled(delay, stopped)

    async def _sleep_unless_cancelled(
        self, delay: float, stopped: Callable[[], bool] | None
    ) -> None:
        """Wait, but not long once the person has asked to stop."""
        if stopped is None:
            await self._clock.sleep(delay)
            return
        while delay > 0 and not stopped():
            part = min(delay, CANCEL_CHECK_INTERVAL)
            await self._clock.sleep(part)
            delay -= part

    def _log_retrying(self, error: CallError, now: float, waited: float) -> None:
        """Say once in a while, not for each call or repeat, why nothing seems to happen."""
        if waited >= FIRST_RETRY_LOG_AFTER and now >= self._silent_until:
            self._silent_until = now + RETRY_LOG_INTERVAL
            self._say(
                f"vod: {error.operation} is being repeated, without success for {waited:.0f} s: "
                f"{error.summary}"
            )

    def _correct_clock(self, error: ClockSkewError, used: timedelta) -> bool:
        """
        Take over the service's clock, if its answer tells it and it is not the one that was used.

        Many calls fail at once when the clock is wrong; the first sets it for all of them.
        """
        if error.server_date is None:
            return False
        now = self._clock.now()
        self._auth.skew = service_time(error.server_date, now) - now
        return abs(self._auth.skew - used) >= timedelta(seconds=1)

    def _add_clock_skew(self, error: CallError) -> None:
        """Say how far off this machine's clock is."""
        if isinstance(error, ClockSkewError) and error.server_date is not None:
            now = self._clock.now()
            ahead = (now - service_time(error.server_date, now)).total_seconds()
            side = "ahead of" if ahead > 0 else "behind"
            error.summary += f"; this machine's clock is {abs(ahead):.0f} s {side} the service's"

    async def _send(self, request: ApiRequest, turn: Permit, tries: AttemptTracker) -> ApiResponse:
        wire = _RequestTrace(turn, tries)
        headers = {"content-type": request.content_type} if request.content_type else {}
        connecting = self._timeouts.connect
        starts = request.operation == START_WORKFLOW
        reading = self._timeouts.start if starts else self._timeouts.read
        try:
            # httpx's timeouts are for each byte; the outer one is for an answer that drips.
            with anyio.fail_after(connecting + reading):
                async with self._http.stream(
                    request.method,
                    self._url.copy_with(query=canonical_query(request.query).encode()),
                    content=request.body or None,
                    headers=headers,
                    timeout=httpx.Timeout(reading, connect=connecting, pool=None),
                    extensions={"trace": wire.trace},
                ) as response:
                    turn.sent()  # a transport without a network does not trace
                    body = await _read_body(response)
        except Exception as error:  # noqa: BLE001 - whatever it was, a run may have started
            failure = self._failure(request.operation, error, wire)
        else:
            if response.is_redirect:
                raise MalformedResponseError(
                    request.operation,
                    f"{self._host} redirects [HTTP {response.status_code}]; "
                    f"signed requests do not follow: check {self._check}",
                    maybe_accepted=False,
                    retryable=False,
                )
            if self._token:  # a result that quotes it would be recorded; errors are looked through
                body = body.replace(self._token, REDACTED.encode())
            return parse_response(
                request.operation, response.status_code, response.headers, body, self._hide
            )
        raise failure  # outside of the handler: httpx's own error quotes the signed request

    def _failure(self, operation: str, error: Exception, wire: _RequestTrace) -> TransportError:
        """Return why no answer came: the proxy's fault until it has led to the endpoint."""
        what, maybe_sent, retryable = classify_transport_error(error)
        sent = maybe_sent and wire.reached
        if self._proxy and not wire.through:
            where = f"{self._host}: through {self._proxy}"
            what = what.format(check=self._proxy.variable)
        else:
            where, what = self._host, what.format(check=self._check)
        return TransportError(
            operation,
            f"{where}: {what}",
            maybe_accepted=operation == START_WORKFLOW and sent,
            retryable=retryable,
            sent=sent,
            refused=any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error)),
        )


class _RequestTrace:
    """What httpx says of a request on its way: first a connection, then a proxy's tunnel."""

    def __init__(self, turn: Permit, tries: AttemptTracker) -> None:
        self._turn = turn
        self._tries = tries
        self._tunnel = False
        self.reached = True
        """Whether the request itself may have been sent; so it is where nothing is said."""
        self.through = True
        """Whether it has come past a proxy; so it has on a connection that there was before."""

    async def trace(self, event: str, told: Mapping[str, Any]) -> None:
        """
        Take note of what httpx does.

        Raises:
            UnknownStartOutcomeError: when a repeat has a connection too late: then it is not sent.

        """
        if event.endswith("connect_tcp.started"):
            self.reached = self.through = False
        elif event in {"proxy.start_tls.started", "socks.start_tls.started"}:
            self.through = True
        elif event.endswith("send_request_headers.started"):
            self._tunnel = told["request"].method == b"CONNECT"
            if not self._tunnel:
                self._tries.judge()
            self.reached = not self._tunnel
        elif event.endswith("send_request_body.complete") and not self._tunnel:
            self._turn.sent()


def _parse_endpoint(endpoint: str) -> httpx.URL:
    try:
        url = httpx.URL(endpoint)
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host or url.userinfo or url.path not in {"", "/"} or url.query or url.fragment:
        raise ConfigurationError("The endpoint must be a bare URL. Nothing was sent.")
    return url


async def _read_body(response: httpx.Response) -> bytes:
    """Read an answer, but no more than shows that it is too large."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_BODY_BYTES:
            break
    return bytes(body)
