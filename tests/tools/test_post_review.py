"""`examples/ci/post_review.py` sends GitHub and GitLab one comment, and updates it."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.comment_api import COMMENTS, ONE_COMMENT, TOKEN, CommentApi, serving

SCRIPT = Path(__file__).parents[2] / "examples" / "ci" / "post_review.py"
GIVEN = {"GITHUB_TOKEN": TOKEN, "PULL_REQUEST": "1", "COMMIT": "0123456789abcdef"}
"""What the example's workflow sets on GitHub."""
MAIN = runpy.run_path(str(SCRIPT))["main"]
MARK = "<!-- review of prod -->"


@pytest.fixture(params=["github", "gitlab"])
def api(request: pytest.FixtureRequest) -> Iterator[CommentApi]:
    with serving(request.param) as found:
        yield found


def post(api: CommentApi, file: Path, review: str | None, **environ: str) -> tuple[int, str]:
    """Run the script in this process; return its exit code and its message."""
    file.unlink(missing_ok=True)
    if review is not None:
        file.write_text(review)
    given = GIVEN if api.service == "github" else {}
    variables = {**api.environ, **given, **environ}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(file.parent)
        patch.setattr(os, "environ", variables)
        try:
            MAIN(file.name, "prod")
        except SystemExit as end:
            message = str(end.code)
            assert TOKEN not in message
            return 1, message
    return 0, ""


def test_the_next_review_updates_the_comment(api: CommentApi, tmp_path: Path) -> None:
    file, comments = tmp_path / "review.md", COMMENTS[api.service]
    assert post(api, file, "### 2 runs \u00a5\n") == (0, "")
    assert api.calls == [("GET", comments), ("POST", comments)]
    [first] = api.bodies()
    assert first.startswith(f"{MARK}\n### 2 runs \u00a5\n\nCommit `01234567`, [job](https://git")
    assert TOKEN not in first
    api.add("Why 2?")
    api.calls.clear()
    assert post(api, file, "### 1 run\n") == (0, "")
    method, path = ONE_COMMENT[api.service]
    assert api.calls[-1] == (method, f"{path}/1001")
    assert "POST" not in [method for method, _ in api.calls]
    updated, other = api.bodies()
    assert updated == first.replace("2 runs \u00a5", "1 run")
    assert other == "Why 2?"


def test_a_failed_preview_replaces_an_outdated_review(api: CommentApi, tmp_path: Path) -> None:
    file = tmp_path / "review.md"
    for review in ("### 2 runs\n", None, ""):
        assert post(api, file, review) == (0, "")
    [text] = api.bodies()
    assert text.startswith(
        f"{MARK}\n### `prod`: no review, because a command failed: see the job\n"
    )


def test_a_comment_of_another_user_stays(api: CommentApi, tmp_path: Path) -> None:
    """Its author could change the review afterwards."""
    api.add(f"{MARK}\n### 0 runs, all fine", "mallory")
    api.add("<!-- review of dev -->\n### another stack", "bot")
    for review in ("a", "b"):
        assert post(api, tmp_path / "review.md", review) == (0, "")
    first, second, third = api.bodies()
    assert first == f"{MARK}\n### 0 runs, all fine"
    assert second.endswith("another stack")
    assert third.startswith(f"{MARK}\nb\n")


def test_the_comment_is_found_among_many(api: CommentApi, tmp_path: Path) -> None:
    for number in range(100):
        api.add(f"{number}")
    api.add(f"{MARK}\nold", "bot")
    assert post(api, tmp_path / "review.md", "new") == (0, "")
    assert len(api.comments) == 101
    assert api.bodies()[-1].startswith(f"{MARK}\nnew\n")


def test_an_error_names_the_call_and_ends_the_job(api: CommentApi, tmp_path: Path) -> None:
    file = tmp_path / "review.md"
    name = "GITHUB_TOKEN" if api.service == "github" else "REVIEW_TOKEN"
    code, message = post(api, file, "a", **{name: "another-token"})
    assert code == 1
    assert (
        f"error: no comment: GET {api.url}{COMMENTS[api.service]}: HTTP status 401\nhint: "
        in message
    )
    api.denied = ("POST",)
    code, message = post(api, file, "a")
    assert (code, "HTTP status 403" in message) == (1, True)
    environ = api.environ
    url = next(key for key in environ if "API" in key)
    code, message = post(api, file, "a", **{url: "http://127.0.0.1:9"})
    assert (code, "ConnectError" in message) == (1, True)
    assert api.bodies() == []


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "review.md", "prod"],
        cwd=tmp_path, env={"GITLAB_CI": "true"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: no comment: the variable 'CI_API_V4_URL' is not set\n"
