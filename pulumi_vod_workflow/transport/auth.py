"""Signs each attempt of a request."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

import httpx

from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.core.signing import Credentials, canonical_query, sign


class VolcengineAuth(httpx.Auth):
    """
    Signs what is really sent, anew at each send; usable with any httpx client.

    It spells the query in canonical order and sets the headers `host`, `x-date`,
    `x-content-sha256`, `x-security-token` and `authorization`. Leave `follow_redirects` off: httpx
    signs once for all hops, and would carry the session token to another host.

    Args:
        credentials: the key triple.
        region: the region in the signature's scope.
        service: the service in the signature's scope.
        clock: where the signature's time comes from.

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
        """What the service's clock is ahead of ours, once it has told."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the signature's headers."""
        query = canonical_query(request.url.params.multi_items())
        if query.encode() != request.url.query:
            request.url = request.url.copy_with(query=query.encode() or None)
        signature = sign(
            request.method,
            # As the official SDK: these two ports are not spelled; what is signed is also sent.
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
