"""Rules of the page, checked offline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.inputs import declare, spell
from pulumi_vod_workflow.core.start import start_of
from pulumi_vod_workflow.core.values import UNKNOWN, is_known

GOOD = {"vid": "v1", "template_id": "t"}


def problems(**changes: object) -> list[str]:
    raw = {**GOOD, **changes}
    return [str(item) for item in declare({k: v for k, v in raw.items() if v is not ...}).problems]


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
    ({"triggers": {"a": {"b": float("nan")}}}, "triggers.a", "JSON"),
    ({"existing_run_id": ""}, "existingRunId", "non-empty"),
    ({"rerun_on_failure": 1}, "rerunOnFailure", "true or false"),
    ({"input": {"condition": {"a": "yes"}}}, "input.condition.a", "true or false"),
    ({"input": {"conditions": {}}}, "input.conditions", "did you mean condition?"),
    ({"templateID": "t"}, "templateID", "did you mean templateId?"),
    ({"TemplateId": "t"}, "TemplateId", "did you mean templateId?"),
    ({"templateId": "u"}, "template_id", "unknown key"),
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
    (override("snapshot", offset_time_list=[1], file_index="x"), SNAPSHOT, "采样截图"),
    (override("snapshot", file_nam="x"), f"{SNAPSHOT}.file_nam", "did you mean fileName?"),
    (
        override("transcode_video", clip={"start_time": 5, "end_time": 5}),
        f"{VIDEO}.clip.endTime",
        "after startTime",
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
    assert not is_known(spell({**GOOD, **changes}))


def test_defaults_written_down_are_the_same_start() -> None:
    """Writing a default down, or an empty object, does not change what is started."""
    plain = start_of(spell(GOOD))
    spelled = {
        "priority": 0.0,
        "enableLowPriority": False,
        "callbackArgs": "",
        "input": {"overrideParams": {}},
    }
    assert start_of(spell({**GOOD, **spelled})) == plain


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_junk_is_refused_without_raising(junk: object) -> None:
    """Whatever a program passes, the answer is a list of problems."""
    declared = declare({"vid": junk, "templateId": "t", "input": junk, "triggers": junk})
    assert declared.problems or junk is None or isinstance(junk, str)
