"""
A stand-in for the calls of GitHub and GitLab that read and write the comments of one request.

It is strict: another path, method, header, parameter or body is an error of the caller.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

TOKEN: Final = "glpat-or-ghs-token"
BOT_ID: Final = 42
COMMENTS: Final = {
    "github": "/repos/me/videos/issues/1/comments",
    "gitlab": "/api/v4/projects/7/merge_requests/1/notes",
}
"""Path of the comments of the request."""
ONE_COMMENT: Final = {
    "github": ("PATCH", "/repos/me/videos/issues/comments"),
    "gitlab": ("PUT", COMMENTS["gitlab"]),
}
"""Method of the update of a comment, and its path without the comment's id."""
KNOWN_PARAMETERS: Final[dict[str, set[str]]] = {"github": set(), "gitlab": {"sort", "order_by"}}


@dataclass
class CommentApi:
    """A service, and what it was sent."""

    service: str
    """`github` or `gitlab`."""
    comments: list[dict[str, Any]] = field(default_factory=list)
    """The comments of the request, the oldest first."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """(method, path) of each call that had an effect or an answer."""
    url: str = ""
    denied: tuple[str, ...] = ()
    """Methods that the token has no right to."""

    @property
    def environ(self) -> dict[str, str]:
        """The variables that the service's runner sets, as far as the example uses them."""
        if self.service == "github":
            return {
                "GITHUB_API_URL": self.url,
                "GITHUB_REPOSITORY": "me/videos",
                "GITHUB_SERVER_URL": "https://github.example",
                "GITHUB_RUN_ID": "77",
            }
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_MERGE_REQUEST_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "1",
            "CI_COMMIT_SHA": "0123456789abcdef",
            "CI_JOB_URL": "https://gitlab.example/me/videos/-/jobs/77",
            "REVIEW_TOKEN": TOKEN,
        }

    def add(self, body: str, author: str = "someone") -> dict[str, Any]:
        """Add a comment."""
        number = 1001 + len(self.comments)
        comment: dict[str, Any] = {"id": number, "body": body}
        is_bot = author == "bot"
        if self.service == "github":
            comment["user"] = {"login": "github-actions[bot]" if is_bot else author}
        else:
            comment["author"] = {"id": BOT_ID if is_bot else 1, "username": author}
        self.comments.append(comment)
        return comment

    def bodies(self) -> list[str]:
        """Return the texts of all comments."""
        return [comment["body"] for comment in self.comments]

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Answer a call, or refuse it as the service does."""
        url = urlsplit(target)
        if not self._is_known(headers):
            return 401, {"message": "401 Unauthorized"}
        if method in self.denied:
            return 403, {"message": "403 Forbidden"}
        self.calls.append((method, url.path))
        if method == "GET":
            return self._read(url.path, {key: one for key, [one] in parse_qs(url.query).items()})
        sent = json.loads(body or b"{}")
        if headers["Content-Type"] != "application/json" or sent.keys() != {"body"} or url.query:
            return 400, {"message": "body is missing"}
        return self._write(method, url.path, sent["body"])

    def _is_known(self, headers: Any) -> bool:
        if self.service == "gitlab":
            return headers["PRIVATE-TOKEN"] == TOKEN and headers["Authorization"] is None
        return (headers["Authorization"], headers["Accept"], headers["X-GitHub-Api-Version"]) == (
            f"Bearer {TOKEN}",
            "application/vnd.github+json",
            "2022-11-28",
        )

    def _read(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if self.service == "gitlab" and path == "/api/v4/user" and not query:
            return 200, {"id": BOT_ID, "username": "project_7_bot"}
        if path != COMMENTS[self.service]:
            return 404, {"message": "404 Not found"}
        if query.keys() - {"per_page", "page"} - KNOWN_PARAMETERS[self.service]:
            return 400, {"message": "unknown parameter"}
        size, page = min(100, int(query.get("per_page", 20))), int(query.get("page", 1))
        # GitLab begins with the newest.
        is_oldest_first = self.service == "github" or query.get("sort") == "asc"
        listed = self.comments if is_oldest_first else self.comments[::-1]
        return 200, listed[(page - 1) * size : page * size]

    def _write(self, method: str, path: str, text: str) -> tuple[int, Any]:
        if (method, path) == ("POST", COMMENTS[self.service]):
            return 201, self.add(text, "bot")
        update, one = ONE_COMMENT[self.service]
        for comment in self.comments:
            if (method, path) == (update, f"{one}/{comment['id']}"):
                comment["body"] = text
                return 200, comment
        return 404, {"message": "404 Not found"}


@contextmanager
def serving(service: str) -> Iterator[CommentApi]:
    """Serve a stand-in on a free port of this machine."""
    api = CommentApi(service)

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, answer = api.answer(self.command, self.path, self.headers, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = _handle  # noqa: N815 - names of the library

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        api.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
