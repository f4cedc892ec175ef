"""The signature of each attempt of a request."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

import httpx

from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.core.signing import Credentials, canonical_query, sign


class VolcengineAuth(httpx.Auth):
    """
    The signature of the service as an httpx authentication, for any httpx client.

    Each send has its own signature. The class sorts the query and sets the headers `host`,
    `x-date`, `x-content-sha256`, `x-security-token` and `authorization`. Do not turn on
    `follow_redirects`: httpx would send the session token to another host.

    Args:
        credentials: access key, secret key and session token.
        region: the region in the signature's scope.
        service: the service in the signature's scope.
        clock: the clock of the signature's time.

    """

    requires_request_body = True

    def __init__(
        self,
        credentials: Credentials,
        region: str,
        *,
        service: str = "vod",
        clock: Clock | None = None,
    ) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._clock = clock or SystemClock()
        self.skew = timedelta(0)
        """The service's time minus this machine's, after the service has returned its time."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the signature's headers."""
        query = canonical_query(request.url.params.multi_items())
        if query.encode() != request.url.query:
            request.url = request.url.copy_with(query=query.encode() or None)
        signature = sign(
            request.method,
            # vod-api-facts 5: official SDKs sign the host without these two ports.
            host=request.headers["host"].removesuffix(":443").removesuffix(":80"),
            path=request.url.raw_path.partition(b"?")[0].decode(),
            query=query,
            body=request.content,
            content_type=request.headers.get("content-type"),
            credentials=self._credentials,
            region=self._region,
            service=self._service,
            at=self._clock.now() + self.skew,
        )
        request.headers.update(signature.headers)
        yield request
