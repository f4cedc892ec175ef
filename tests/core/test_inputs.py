"""Rules of the page, checked offline."""

import json
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.inputs.property_names import to_property_names
from pulumi_vod_workflow.core.inputs.validation import (
    RESOURCE_NAME,
    SHORT_CLIP,
    check_inputs,
    find_doubts,
)
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.values import UNKNOWN, is_known

GOOD = {"vid": "v1", "template_id": "t"}


def problems(**changes: object) -> list[str]:
    raw = {**GOOD, **changes}
    return [
        str(item) for item in check_inputs({k: v for k, v in raw.items() if v is not ...}).problems
    ]


def override(kind: str, **fields: object) -> dict[str, object]:
    return {"input": {"override_params": {kind: [{"template_id": ["x"], **fields}]}}}


SNAPSHOT = "input.overrideParams.snapshot[0]"
VIDEO = "input.overrideParams.transcodeVideo[0]"

BAD: list[tuple[dict[str, object], str, str]] = [
    ({"vid": ...}, "vid, directUrl", "neither"),
    ({"direct_url": {"file_name": "f"}}, "vid, directUrl", "both"),
    ({"template_id": ...}, "templateId", "required"),
    ({"template_id": ""}, "templateId", "non-empty"),
    ({"template_id": " t"}, "templateId", "white space"),
    ({"vid": 3}, "vid", "string"),
    ({"vid": ..., "direct_url": {}}, "directUrl.fileName", "is required"),
    ({"vid": ..., "direct_url": "f.mp4"}, "directUrl", "object of"),
    (
        {
            "vid": ...,
            "direct_url": {"file_name": "f"},
            "template_id": "c3841b3122fd460db2bc99a6ec131cb8",
        },
        "directUrl.spaceName",
        "built-in",
    ),
    ({"priority": 6}, "priority", "-5 to 5"),
    ({"priority": -6}, "priority", "-5 to 5"),
    ({"priority": 0.5}, "priority", "integer"),
    ({"priority": True}, "priority", "integer"),
    ({"priority": "1"}, "priority", "integer"),
    ({"callback_args": "中" * 171}, "callbackArgs", "512 bytes"),
    ({"enable_low_priority": "true"}, "enableLowPriority", "true or false"),
    ({"client_token": "a" * 65}, "clientToken", "64 printable ASCII"),
    ({"client_token": ""}, "clientToken", "1 to 64"),
    ({"client_token": "é"}, "clientToken", "ASCII"),
    ({"client_token": "a\n"}, "clientToken", "ASCII"),
    ({"task_list_id": ""}, "taskListId", "non-empty"),
    ({"triggers": ["a"]}, "triggers", "map"),
    ({"triggers": {"a": 2.0**60}}, "triggers.a", "2**53"),
    ({"triggers": {"a": 2**53}}, "triggers.a", "below 2**53; write a larger one as text"),
    ({"triggers": {"a": [-(2.0**53)]}}, "triggers.a", "below 2**53"),
    (
        {"vid": ..., "direct_url": {"file_name": "tos://bucket/f.mp4"}},
        "directUrl.fileName",
        "without scheme:// (a result's file_name is one)",
    ),
    (
        {"vid": ..., "direct_url": {"file_name": "HTTPS://host/f.mp4?sign=s3cret"}},
        "directUrl.fileName",
        "without scheme://",
    ),
    (override("snapshot", file_name="tos://b/p"), f"{SNAPSHOT}.fileName", "scheme://"),
    (override("snapshot", file_index="s3://b/p"), f"{SNAPSHOT}.fileIndex", "scheme://"),
    (override("transcode_video", file_name="tos://b/p"), f"{VIDEO}.fileName", "scheme://"),
    (
        {"input": {"override_params": {"enhance": {"file_name": "tos://b/p"}}}},
        "input.overrideParams.enhance.fileName",
        "scheme://",
    ),
    ({"triggers": {"a": {"b": float("nan")}}}, "triggers.a", "JSON"),
    ({"existing_run_id": ""}, "existingRunId", "non-empty"),
    ({"rerun_on_failure": 1}, "rerunOnFailure", "true or false"),
    ({"rerun_on": "systemError"}, "rerunOn", "a list of systemError, userError, terminated"),
    ({"rerun_on": ["userError", "1003"]}, "rerunOn[1]", "systemError or userError or terminated"),
    ({"rerun_on": [], "rerun_on_failure": True}, "rerunOn", "contradicts rerun_on_failure"),
    ({"rerun_on": ["expired"], "client_token": "x"}, "rerunOn", "remove client_token"),
    ({"input": {"condition": {"a": "yes"}}}, "input.condition.a", "true or false"),
    ({"input": {"conditions": {}}}, "input.conditions", "did you mean condition?"),
    ({"input": "x"}, "input", "object of condition, override_params"),
    (
        {"templat_id": "t"},
        "templat_id",
        "did you mean template_id? The keys here are callback_args,",
    ),
    ({"templateID": "t"}, "templateID", "did you mean templateId? The keys here are callbackArgs,"),
    ({"TemplateId": "t"}, "TemplateId", "did you mean templateId?"),
    (
        {"templateId": "u"},
        "template_id",
        "is given twice, as template_id and as templateId; keep one",
    ),
    ({"input": {"override_params": {"logo": {}}}}, "input.overrideParams.logo", "list"),
    (
        {"input": {"override_params": {"logo": [{"template_id": "All", "vars": {"a": 1}}]}}},
        "input.overrideParams.logo[0].vars.a",
        "string",
    ),
    (
        {"input": {"override_params": {"logo": [{"vars": {}}]}}},
        "input.overrideParams.logo[0].templateId",
        "is required",
    ),
    (
        {"input": {"override_params": {"enhance": []}}},
        "input.overrideParams.enhance",
        "object",
    ),
    (override("snapshot", template_id=[]), f"{SNAPSHOT}.templateId", "non-empty"),
    (override("snapshot", template_id="x"), f"{SNAPSHOT}.templateId", "list"),
    (override("snapshot", template_id=["all"]), f"{SNAPSHOT}.templateId[0]", "All (spelled"),
    (override("snapshot", template_id=["All", "x"]), f"{SNAPSHOT}.templateId", "alone"),
    (override("snapshot", width=4097), f"{SNAPSHOT}.width", "0 to 4096"),
    (override("snapshot", height=-1), f"{SNAPSHOT}.height", "0 to 4096"),
    (override("snapshot", offset_time=-1), f"{SNAPSHOT}.offsetTime", "milliseconds"),
    (override("snapshot", sample_offsets=[1, -1]), f"{SNAPSHOT}.sampleOffsets[1]", "seconds"),
    (override("snapshot", offset_time_list=[0.5]), f"{SNAPSHOT}.offsetTimeList[0]", "integer"),
    (override("snapshot", offset_time=1, width=1), SNAPSHOT, "never take effect together"),
    (override("snapshot", offset_time=1, width=1), SNAPSHOT, "; offset_time: "),
    (override("snapshot", offset_time_list=[1], file_index="x"), SNAPSHOT, "采样截图"),
    (override("snapshot", file_nam="x"), f"{SNAPSHOT}.file_nam", "did you mean file_name?"),
    (
        override("transcode_video", clip={"start_time": 5, "end_time": 5}),
        f"{VIDEO}.clip.endTime",
        "after start_time",
    ),
    (override("transcode_video", clip={"start_time": -5}), f"{VIDEO}.clip.startTime", "0 to"),
    (override("transcode_video", clip={"end_time": 2**31}), f"{VIDEO}.clip.endTime", "2147483647"),
    (override("transcode_video", output_index=[-1]), f"{VIDEO}.outputIndex[0]", "0 to"),
    ({"": 1}, '[""]', "unknown key"),
    ({"a b": 1}, '["a b"]', "unknown key"),
    ({"vid": ..., "direct_url": {"file_name": "f", "": 1}}, 'directUrl[""]', "unknown key"),
    ({"input": {"condition": {"": 1}}}, 'input.condition[""]', "true or false"),
    ({"input": {"condition": {"a.b\n": 1}}}, r'input.condition["a.b\n"]', "true or false"),
    (
        override("transcode_audio", logo_template_id="x"),
        "input.overrideParams.transcodeAudio[0].logo_template_id",
        "unknown key",
    ),
]


@pytest.mark.parametrize(("changes", "path", "reason"), BAD)
def test_a_broken_rule_is_named_with_its_path(
    changes: dict[str, object], path: str, reason: str
) -> None:
    """Each rule of the page is checked, and only the broken one is reported."""
    [problem] = problems(**changes)
    assert problem.startswith(f"{path}: ")
    assert reason in problem


def test_all_problems_come_at_once() -> None:
    """A declaration with many mistakes is corrected in one go."""
    found = problems(vid=..., template_id=..., priority=9, input={"override_params": {"logo": 1}})
    assert [line.split(":")[0] for line in found] == [
        "input.overrideParams.logo",
        "priority",
        "templateId",
        "vid, directUrl",
    ]


def test_no_message_contains_a_value() -> None:
    """Values may be secret, so messages never repeat them."""
    marker = "s3cr3t" * 90
    for field in ("callback_args", "client_token", "triggers", "priority", "direct_url", "input"):
        assert marker not in "".join(problems(**{field: marker}))


@pytest.mark.parametrize(
    "changes",
    [
        {"priority": -5.0, "enable_low_priority": False, "callback_args": "中" * 170},
        {"vid": ..., "direct_url": {"fileName": "f", "space_name": "s", "bucketName": "b"}},
        {"vid": ..., "template_id": ..., "existing_run_id": "lb:1"},
        {"triggers": {"a": 2**53 - 1, "b": -(2.0**53) + 1, "c": str(2**60), "d": "tos://b/f"}},
        {"vid": ..., "direct_url": {"file_name": "a://b/../c:d//e"[1:]}},
        {"client_token": " ~" * 32, "triggers": {"a": [1, {"b": None}], "c": True}},
        override("snapshot", template_id=["All"], width=0, height=4096.0, offset_time=1),
        override("snapshot", offset_time=1, offset_time_list=[1, 2]),
        override("snapshot", offset_time=1, sample_offsets=[]),
        override("snapshot", template_id=["a", "b"], offset_time=1, width=1),
        override("transcode_video", clip={"start_time": 2000, "end_time": 0}, output_index=[0]),
        {"input": {"condition": {"x": True}, "override_params": {"enhance": {}}}},
    ],
)
def test_what_the_page_allows_is_allowed(changes: dict[str, object]) -> None:
    """The limits themselves, both spellings, and the SDK-only parameters pass."""
    assert problems(**changes) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"vid": UNKNOWN},
        {"vid": UNKNOWN, "direct_url": {"file_name": UNKNOWN}},
        {"vid": ..., "direct_url": UNKNOWN},
        {"template_id": UNKNOWN, "priority": UNKNOWN, "triggers": UNKNOWN},
        {"triggers": {"a": UNKNOWN, "b": [UNKNOWN]}},
        override("snapshot", template_id=[UNKNOWN, "x"], sample_offsets=[UNKNOWN]),
        override("transcode_video", clip=UNKNOWN),
        {"input": {"override_params": {"logo": [UNKNOWN]}}},
    ],
)
def test_unknowns_are_skipped_at_any_depth(changes: dict[str, object]) -> None:
    """What is unknown at preview is neither guessed nor refused."""
    assert problems(**changes) == []
    assert not is_known(to_property_names({**GOOD, **changes}))


def test_defaults_written_down_are_the_same_start() -> None:
    """Writing a default down, or an empty object, does not change what is started."""
    plain = request_fields(to_property_names(GOOD))
    spelled = {
        "priority": 0.0,
        "enableLowPriority": False,
        "callbackArgs": "",
        "input": {"overrideParams": {}},
    }
    assert request_fields(to_property_names({**GOOD, **spelled})) == plain


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_junk_is_refused_without_raising(junk: object) -> None:
    """Whatever a program passes, the answer is a list of problems."""
    declared = check_inputs({"vid": junk, "templateId": "t", "input": junk, "triggers": junk})
    assert declared.problems or junk is None or isinstance(junk, str)


OUTPUT: Final = pulumi.Output.from_input("x")


class Thing:
    """An object without a text of its own."""


def texts_of_an_output() -> list[str]:
    """Return what a program gets that puts an Output into text itself, in the SDK in use."""
    text = f"{OUTPUT}"
    return [
        text,
        f"out/{text}.mp4",
        json.dumps({"run": text}),
        quote(text),
        text.upper(),
        text[:40],
        f"{[OUTPUT]}",
        repr(OUTPUT),
        f"{Thing()}",
    ]


TEXT: Final = "contains Python's text of an Output"
PLACES: Final[list[tuple[Callable[[str], dict[str, object]], str]]] = [
    (lambda text: {"callback_args": text}, "callbackArgs"),
    (lambda text: {"vid": text}, "vid"),
    (lambda text: {"template_id": text}, "templateId"),
    (lambda text: {"client_token": text}, "clientToken"),
    (lambda text: {"existing_run_id": text}, "existingRunId"),
    (lambda text: {"vid": ..., "direct_url": {"file_name": text}}, "directUrl.fileName"),
    (lambda text: {"triggers": {"a": [1, {"b": text}]}}, "triggers.a[1].b"),
    (lambda text: {"triggers": {text: 1}}, "triggers"),
    (lambda text: {"input": {"condition": {text: True}}}, "input.condition"),
    (lambda text: override("snapshot", file_name=text), f"{SNAPSHOT}.fileName"),
    (lambda text: override("snapshot", template_id=[text]), f"{SNAPSHOT}.templateId[0]"),
    (
        lambda text: {
            "input": {"override_params": {"logo": [{"template_id": "x", "vars": {"a b": text}}]}}
        },
        'input.overrideParams.logo[0].vars["a b"]',
    ),
    (lambda text: {"scope": {"project": "p", "stack": "s", "name": text}}, RESOURCE_NAME),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("place", "path"), PLACES)
def test_text_made_of_an_output_is_refused_wherever_it_is(
    place: Callable[[str], dict[str, object]], path: str
) -> None:
    """The SDK has no value to put there: its warning, or an address, would be sent and paid."""
    for text in texts_of_an_output():
        [problem] = problems(**place(text))
        assert problem.startswith(f"{path}: {TEXT}"), text
        assert "Output.format, Output.concat or .apply" in problem


@pytest.mark.parametrize(
    "name",
    [
        " tos://b/x",
        "\ufefftos://b/x",
        "'tos://b/x'",
        "<https://b>",
        "https%3A%2F%2Fb",
        "\uff48ttps\uff1a\uff0f\uff0fb",
        "vod_x://b",
        "x\n",
        "a\tb",
    ],
)
def test_what_looks_like_a_url_is_no_file_name(name: str) -> None:
    [problem] = problems(vid=..., direct_url={"file_name": name, "space_name": "s"})
    assert problem.startswith("directUrl.fileName: must be a non-empty path in the space")


@pytest.mark.parametrize(
    "name", ["a/b c.mp4", "片\u3000名.mp4", "a:b/c", "50%.mp4", "a//b", "{{x}}"]
)
def test_what_is_a_path_is_a_file_name(name: str) -> None:
    assert problems(vid=..., direct_url={"file_name": name, "space_name": "s"}) == []


def test_text_of_an_output_that_was_made_a_name_is_refused() -> None:
    for text in texts_of_an_output():
        slug = re.sub("[^A-Za-z0-9]+", "-", text)
        if slug.startswith("Calling-str"):
            assert problems(callback_args=slug)


@pytest.mark.parametrize(
    "text", ["Output", "o.apply", "__str__.py", "at 0x1f", "<b>0x7f1234567890</b>", "__str__ " * 9]
)
def test_text_about_outputs_is_text(text: str) -> None:
    """Only what Python makes of an object is refused."""
    assert problems(callback_args=text, triggers={text: text}) == []


@pytest.mark.parametrize("kind", ["transcode_audio", "transcode_video"])
@pytest.mark.parametrize(
    ("clip", "doubted"),
    [
        ({"start_time": 10, "end_time": 20}, True),
        ({"end_time": 999}, True),
        ({"start_time": 5000, "end_time": 5999}, True),
        ({"start_time": 5000, "end_time": 6000}, False),
        ({"start_time": 30}, False),
        ({"start_time": 30, "end_time": 0}, False),
        ({"start_time": UNKNOWN, "end_time": 10}, False),
        ({}, False),
        (UNKNOWN, False),
    ],
)
def test_a_clip_under_a_second_is_doubted(kind: str, clip: object, doubted: bool) -> None:
    """Seconds are easily taken for milliseconds; a short clip is allowed all the same."""
    declared = {"input": {"override_params": {kind: [{"template_id": ["x"]}, {"clip": clip}]}}}
    found = [str(problem) for problem in find_doubts(to_property_names(declared))]
    path = f"input.overrideParams.{to_camel(kind)}[1].clip"
    assert found == ([f"{path}: {SHORT_CLIP}"] if doubted else [])


@pytest.mark.parametrize("strange", [UNKNOWN, {"overrideParams": UNKNOWN}, {}, None])
def test_what_is_not_known_is_not_doubted(strange: object) -> None:
    """An unknown is skipped at any depth."""
    assert [*find_doubts({"input": strange})] == []
    assert [*find_doubts({"input": {"overrideParams": {"transcodeVideo": [UNKNOWN]}}})] == []
