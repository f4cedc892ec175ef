"""What is asked before a start is paid, and what the answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_vod_workflow.core.batch.inputs import group_problems
from pulumi_vod_workflow.core.preflight import (
    Found,
    LookupResult,
    LookupUnavailable,
    NotFound,
    Reference,
    evaluate,
    references_of,
    video_lookups,
    workflow_lookup,
)
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.values import UNKNOWN

WORKFLOW, VIDEO = Reference("templateId", "t"), Reference("vid", "v")
START = {"templateId": "t", "vid": "v"}
SAID = "GetWorkflowTemplate: the service answered ResourceNotFound [HTTP 404, RequestId r]"
BUILT_IN = min(SYSTEM_TEMPLATES)


def judged(start: dict[str, Any], *facts: LookupResult, secret: bool = False) -> dict[str, Any]:
    """Return what is found, by level, of one start whose subjects have these facts."""
    told = dict(zip(references_of([start]), facts, strict=True))
    found = evaluate({"": start}, told, secret=secret)
    levels = {"wrong": found.errors, "notes": found.notes, "unchecked": found.skipped}
    return {level: [*where] for level, where in levels.items() if where}


def test_each_known_id_of_a_start_is_asked_about_once() -> None:
    """Not what is unknown, and nothing of a run that is adopted, whichever it will be."""
    starts: list[dict[str, Any]] = [
        START,
        {"templateId": "t", "vid": "w"},
        {"templateId": UNKNOWN, "vid": UNKNOWN},
        {"templateId": "u", "directUrl": {"fileName": "f"}},
        {"templateId": "adopted", "vid": "adopted", "existingRunId": UNKNOWN},
        {"templateId": "adopted", "vid": "adopted", "existingRunId": "lb:1"},
    ]
    assert references_of(starts) == [
        WORKFLOW,
        VIDEO,
        Reference("vid", "w"),
        Reference("templateId", "u"),
    ]


@pytest.mark.parametrize(
    ("template", "fact"),
    [
        ({}, Found()),
        ({"SpaceName": "s", "Type": "User"}, Found("s")),
        ({"SpaceName": None, "Type": 7, "Activities": "?"}, Found()),
        ({"Activities": []}, Found()),
        ({"Activities": [{"Type": "Transcode"}, {"Type": "End"}]}, Found()),
        ({"Activities": [{"Type": "Something new"}]}, Found()),
        ({"Activities": [None, {"Type": "End"}]}, Found()),
        ({"Activities": [{"Type": ["End"]}]}, Found()),
        (
            {"Activities": [{"Type": "End"}]},
            Found("", "this workflow has no output: its end is its only activity"),
        ),
        (
            {"SpaceName": "s", "Type": "Snapshot"},
            Found("s", "template type Snapshot is not a workflow"),
        ),
    ],
)
def test_what_a_workflow_tells(template: dict[str, Any], fact: LookupResult) -> None:
    """Only what is said speaks against it; words that are not known do not."""
    assert workflow_lookup({"WorkflowTemplate": template}) == fact


@pytest.mark.parametrize("result", [{}, {"WorkflowTemplate": None}, {"WorkflowTemplate": []}])
def test_an_answer_without_a_workflow_tells_nothing(result: dict[str, Any]) -> None:
    assert isinstance(workflow_lookup(result), LookupUnavailable)


def test_what_is_told_of_videos() -> None:
    """There, not there, and, should an answer not say, neither."""
    infos: list[Any] = [None, {}, {"BasicInfo": []}, {"BasicInfo": {"Vid": "a", "SpaceName": "s"}}]
    answer = {"MediaInfoList": infos, "NotExistVids": ["b"]}
    facts = video_lookups(["a", "b", "c"], answer, "r")
    assert facts["a"] == Found("s")
    assert facts["b"] == NotFound("GetMediaInfos lists it in NotExistVids [RequestId r]")
    assert isinstance(facts["c"], LookupUnavailable)
    for odd in ({}, {"MediaInfoList": None, "NotExistVids": "abc"}):
        assert isinstance(video_lookups(["a"], odd, None)["a"], LookupUnavailable)


def test_an_odd_answer_about_videos_tells_nothing() -> None:
    odd = {"MediaInfoList": [{"BasicInfo": {"Vid": ["v"]}}, {"BasicInfo": None}, 7]}
    assert isinstance(video_lookups(["v"], odd, None)["v"], LookupUnavailable)


def test_what_is_right_is_not_spoken_of() -> None:
    assert judged(START, Found("s"), Found("s")) == {}
    assert judged(START, Found("s"), Found("")) == {}
    assert judged(START, Found(""), Found("s")) == {}
    direct = {"templateId": "t", "directUrl": {"fileName": "f", "spaceName": "s"}}
    assert judged(direct, Found("s")) == {}
    for source in ({"fileName": "f"}, UNKNOWN, {"fileName": "f", "spaceName": UNKNOWN}):
        assert judged({"templateId": "t", "directUrl": source}, Found("s")) == {}


def test_everything_that_is_wrong_is_said_with_what_to_do() -> None:
    """Each with its path, the service's code and RequestId, and the way out."""
    workflow, video = judged(START, NotFound(SAID), NotFound("no [RequestId r]"))["wrong"]
    assert workflow[0] == "templateId"
    assert workflow[1].startswith(f"the service knows no such workflow: {SAID}. Check the id")
    assert "set `vod:preflight` to `warn` or `off`" in workflow[1]
    assert video[0] == "vid"
    assert video[1].startswith(
        "the service knows no such video: no [RequestId r]. Check the Vid, the credentials"
    )
    assert judged(START, Found("s", "makes nothing"), Found("s"))["wrong"] == [
        ("templateId", "makes nothing: use a workflow id")
    ]


@pytest.mark.parametrize(
    ("start", "facts"),
    [
        (START, [Found("mine"), Found("other")]),
        (
            {"templateId": "t", "directUrl": {"fileName": "f", "spaceName": "other"}},
            [Found("mine")],
        ),
    ],
)
def test_a_source_of_another_space(start: dict[str, Any], facts: list[LookupResult]) -> None:
    """A file's space is declared, a video's is told; where inputs are secret, neither is named."""
    [(path, reason)] = judged(start, *facts)["wrong"]
    assert path == "templateId"
    assert "in another space than this workflow (other, not mine)" in reason
    [(_, hidden)] = judged(start, *facts, secret=True)["wrong"]
    assert "in another space than this workflow: use" in hidden
    assert "other," not in hidden


def test_a_built_in_workflow_that_is_not_listed_is_noted_only() -> None:
    """Whether the service lists them is not known; another one's absence is a finding."""
    start = {"templateId": BUILT_IN, "directUrl": {"fileName": "f", "spaceName": "s"}}
    found = judged(start, NotFound(SAID))
    assert [*found] == ["notes"]
    assert SAID in found["notes"][0][1]
    assert [*judged({"templateId": "t"}, NotFound(SAID))] == ["wrong"]


def test_what_could_not_be_asked_speaks_against_nothing() -> None:
    found = judged(START, LookupUnavailable("no answer"), LookupUnavailable("denied"))
    assert found == {
        "unchecked": [("templateId", "not checked: no answer"), ("vid", "not checked: denied")]
    }


def test_many_items_with_one_problem_are_told_at_once() -> None:
    """In the words of the first, for RequestIds differ."""
    starts = {f"k{number}": {"vid": f"v{number}"} for number in range(9)}
    facts: dict[Reference, LookupResult] = {
        Reference("vid", f"v{number}"): NotFound(f"[RequestId r{number}]") for number in range(8)
    }
    facts[Reference("vid", "v8")] = Found("s")
    [problem] = group_problems(evaluate(starts, facts).errors)
    assert problem.path == "items.k0.vid"
    assert "[RequestId r0]" in problem.reason
    assert problem.reason.endswith("(and 7 more: k1, k2, k3, k4, k5 and 2 more)")
