"""
Post a review as one comment of a pull request (GitHub) or merge request (GitLab).

Usage: python post_review.py FILE STACK

The next job updates the same comment. Without a review, the comment reports that there is none.
On GitHub, set GITHUB_TOKEN, PULL_REQUEST (its number) and COMMIT. On GitLab, set REVIEW_TOKEN, an
access token with the scope `api`. The runner sets the other variables.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import httpx

PAGE_SIZE = 100  # comments, the most that both services return at once
TIMEOUT = 30  # seconds


class GitHub:
    """The comments of a pull request."""

    update = "PATCH"
    order: Mapping[str, str] = {}  # the oldest comment is the first

    def __init__(self, env: Mapping[str, str]) -> None:
        repository = env["GITHUB_REPOSITORY"]
        api = f"{env['GITHUB_API_URL']}/repos/{repository}/issues"
        self.comments = f"{api}/{env['PULL_REQUEST']}/comments"
        self.comment = f"{api}/comments"
        self.headers = {
            "Authorization": f"Bearer {env['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self.commit = env["COMMIT"]
        self.job = f"{env['GITHUB_SERVER_URL']}/{repository}/actions/runs/{env['GITHUB_RUN_ID']}"

    def is_own(self, comment: Mapping[str, Any], _: httpx.Client) -> bool:
        """Return whether the author is that of comments with GITHUB_TOKEN."""
        return bool(comment["user"]["login"] == "github-actions[bot]")


class GitLab:
    """The notes of a merge request."""

    update = "PUT"
    order: Mapping[str, str] = {"sort": "asc", "order_by": "created_at"}

    def __init__(self, env: Mapping[str, str]) -> None:
        self.api = env["CI_API_V4_URL"]
        project = f"{self.api}/projects/{env['CI_MERGE_REQUEST_PROJECT_ID']}"
        self.comments = f"{project}/merge_requests/{env['CI_MERGE_REQUEST_IID']}/notes"
        self.comment = self.comments
        self.headers = {"PRIVATE-TOKEN": env["REVIEW_TOKEN"]}
        self.commit = env["CI_COMMIT_SHA"]
        self.job = env["CI_JOB_URL"]

    def is_own(self, comment: Mapping[str, Any], client: httpx.Client) -> bool:
        """Return whether the author is the token's user."""
        return bool(comment["author"]["id"] == call(client, "GET", f"{self.api}/user")["id"])


def call(client: httpx.Client, method: str, url: str, **options: Any) -> Any:
    """Return the answer to a request; without one, end the job with a message."""
    try:
        answer = client.request(method, url, **options)
        answer.raise_for_status()
        return answer.json()
    except httpx.HTTPStatusError as error:
        problem = f"HTTP status {error.response.status_code}"
    except (httpx.HTTPError, ValueError) as error:
        problem = type(error).__name__
    sys.exit(
        f"error: no comment: {method} {url}: {problem}\n"
        "hint: check the token, and its right to write comments"
    )


def all_comments(client: httpx.Client, service: GitHub | GitLab) -> Iterator[dict[str, Any]]:
    """Yield the comments, the oldest first."""
    for page in count(1):
        params = {**service.order, "per_page": PAGE_SIZE, "page": page}
        found = call(client, "GET", service.comments, params=params)
        yield from found
        if len(found) < PAGE_SIZE:
            return


def main(file: str, stack: str) -> None:
    """Update the comment of the stack, or add it."""
    try:
        service = GitLab(os.environ) if "GITLAB_CI" in os.environ else GitHub(os.environ)
    except KeyError as error:
        sys.exit(f"error: no comment: the variable {error} is not set")
    path, mark = Path(file), f"<!-- review of {stack} -->"
    review = path.read_text(encoding="utf-8") if path.exists() else ""
    if not review.strip():
        review = f"### `{stack}`: no review, because a command failed: see the job\n"
    text = f"{mark}\n{review}\nCommit `{service.commit[:8]}`, [job]({service.job})\n"
    with httpx.Client(headers=service.headers, timeout=TIMEOUT) as client:
        # Any user can write the mark. A comment of another user stays as it is.
        for comment in all_comments(client, service):
            if comment["body"].startswith(mark) and service.is_own(comment, client):
                url = f"{service.comment}/{comment['id']}"
                call(client, service.update, url, json={"body": text})
                return
        call(client, "POST", service.comments, json={"body": text})


if __name__ == "__main__":
    main(*sys.argv[1:])
