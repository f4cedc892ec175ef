"""
The input model, read once more from the page: what each field may hold, and what it must not.

Nothing here is made of the package's own rules. Names are as in the state (`directUrl`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]
Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Leaf:
    """A value without parts."""

    valid: Strategy
    wrong: Mapping[str, Strategy]
    """Way -> values that break it."""


@dataclass(frozen=True, eq=False)
class Many:
    """A list."""

    item: Node
    least: int = 0
    valid: Strategy | None = None
    """If not any items will do."""
    wrong: Mapping[str, Strategy] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Named:
    """A map whose keys are the user's."""

    item: Leaf


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule about several fields: how it is broken, and the path of what is then wrong."""

    breaks: Strategy
    """Fields to set; `ABSENT` ones are removed."""
    path: str
    holds_with: Callable[[Json], bool] = lambda _: True
    """Whether it is about this object."""


@dataclass(frozen=True, eq=False)
class Obj:
    """An object of the page."""

    fields: Mapping[str, Node]
    required: frozenset[str] = frozenset()
    settle: Callable[[Json], Json] = lambda drawn: drawn
    """Makes fields that were drawn one by one fit together."""
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field -> those that are removed before it is broken, so that only it is wrong."""
    rules: Mapping[str, Rule] = field(default_factory=dict)


Node = Leaf | Many | Named | Obj
ABSENT: Final = object()


# -- values -------------------------------------------------------------------------------------

CHARACTERS: Final = st.characters(exclude_categories=["Cs"])
PRINTABLE: Final = st.characters(exclude_categories=["C", "Z"])
ASCII: Final = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
KEYS: Final = st.sampled_from(
    ["k", "templateId", "template_id", "a.b", "a b", "0", "", "[0]", "__provider", "水印", 'q"']
) | st.text(CHARACTERS, max_size=6)
"""Of users' maps: the names of fields mean nothing there."""

TEXTS: Final = st.text(CHARACTERS, min_size=1, max_size=10)
TYPICAL: Final = st.sampled_from(["{{fileTitle}}_{{templateId}}", "a/b c.mp4", "中文", " ", "&=+%"])
INT32: Final = st.sampled_from([0, 1, 2**31 - 1]) | st.integers(0, 2**31 - 1)

_NUMBERS = st.integers(-9, 9) | st.floats(-1e6, 1e6)
_LISTS = st.lists(st.integers(0, 3) | st.text(max_size=2), max_size=2)
_MAPS = st.dictionaries(st.text(max_size=2), st.booleans(), max_size=2)
NO_FLAG: Final = _NUMBERS | st.sampled_from(["true", "false", "", "1"]) | _LISTS | _MAPS
NO_TEXT: Final = _NUMBERS | st.booleans() | _LISTS | _MAPS
NO_NUMBER: Final = st.sampled_from(["1", "0", "x", ""]) | st.booleans() | _LISTS | _MAPS
NO_LIST: Final = _NUMBERS | st.booleans() | st.text(max_size=5) | _MAPS
NO_MAP: Final = _NUMBERS | st.booleans() | st.text(max_size=5) | _LISTS
NOT_FINITE: Final = st.sampled_from([float("nan"), float("inf"), float("-inf")])
FRACTIONS: Final = st.integers(-8, 8).map(lambda number: number + 0.5)
LINES: Final = st.sampled_from("\n\t\x00\x1f\x7f\u200b\u2028\ufeff\ue000")
"""What does not print."""


def _ids(size: int = 12) -> Strategy:
    return st.sampled_from(["v023bbg", "QqS3o5L4&b", "a b", "片源"]) | st.text(
        PRINTABLE, min_size=1, max_size=size
    )


OF_AN_OUTPUT: Final = st.sampled_from(
    [
        "Calling __str__ on an Output[T] is not supported.\n\nTo get the value",
        "out/Calling%20__str__%20on%20an%20Output%5BT%5D.mp4",
        "[<pulumi.output.Output object at 0x7f3ff431d910>]",
    ]
)
"""What Python makes of an Output that a program puts into text."""
_UNFIT = {
    "of an Output": OF_AN_OUTPUT,
    "empty": st.just(""),
    "blank around": st.builds(
        lambda blank, text, before: blank + text if before else text + blank,
        st.sampled_from(" \t\u3000\n"),
        _ids(),
        st.booleans(),
    ),
    "unprintable": st.tuples(_ids(), LINES).map(lambda drawn: drawn[0] + drawn[1] + drawn[0]),
    "type": NO_TEXT,
}
ID: Final = Leaf(_ids(), _UNFIT)
NAME: Final = Leaf(TEXTS | TYPICAL, {"empty": st.just(""), "type": NO_TEXT})
TEXT: Final = Leaf(NAME.valid, {**NAME.wrong, "of an Output": OF_AN_OUTPUT})
URLS: Final = st.sampled_from(["tos://tos-cn-v-1/a.mp4", "https://host/a.mp4", "'S3://b/中文'"])
CONTROLS: Final = st.characters(categories=["Cc"]).map(lambda letter: f"a{letter}b")
FILE: Final = Leaf(
    TEXT.valid.filter(
        lambda text: (
            "://" not in text and not any(unicodedata.category(letter) == "Cc" for letter in text)
        )
    ),
    {**TEXT.wrong, "URL": URLS, "control character": CONTROLS},
)
ANY_TEXT: Final = Leaf(
    st.text(CHARACTERS, max_size=10) | TYPICAL, {"type": NO_TEXT, "of an Output": OF_AN_OUTPUT}
)
FLAG: Final = Leaf(st.booleans(), {"type": NO_FLAG})


def _integer(low: int, high: int) -> Leaf:
    ends = st.sampled_from([low, high, 0])
    return Leaf(
        ends | st.integers(low, high),
        {
            "too small": st.integers(-(2**53), low - 1),
            "too large": st.integers(high + 1, 2**53),
            "fraction": FRACTIONS,
            "not finite": NOT_FINITE,
            "type": NO_NUMBER,
        },
    )


MILLISECONDS: Final = _integer(0, 2**31 - 1)
SECONDS: Final = Leaf(
    st.sampled_from([0.0, 1.5, 1e-9, 2**53 - 1]) | st.floats(0, 1e6),
    {
        "too small": st.floats(-1e6, -1e-9),
        "too large": st.floats(1e16, 1e300),
        "not finite": NOT_FINITE,
        "type": NO_NUMBER,
    },
)
CALLBACK_ARGS: Final = Leaf(
    st.text(CHARACTERS, max_size=20) | st.sampled_from(["", "中" * 170, "a" * 512]),
    {
        "too long": st.integers(513, 600).map(lambda size: "a" * size)
        | st.integers(171, 200).map(lambda size: "中" * size),
        "of an Output": OF_AN_OUTPUT,
        "type": NO_TEXT,
    },
)
CLIENT_TOKEN: Final = Leaf(
    st.text(ASCII, min_size=1, max_size=8).map("mine {}".format) | st.just("~ " * 32),
    {
        "empty": st.just(""),
        "too long": st.integers(65, 99).map(lambda size: "t" * size),
        "character": st.tuples(st.text(ASCII, max_size=5), st.sampled_from("é中\n\t\x7f\x00")).map(
            "".join
        ),
        "type": NO_TEXT,
    },
)
_WRONG_ALL = st.sampled_from(["all", "ALL", "aLL", "alL"])
TEMPLATE: Final = Leaf(
    _ids().filter(lambda text: text.lower() != "all") | st.just("All"),
    # Beside All, an id made of an Output breaks two rules.
    {
        **_UNFIT,
        "of an Output": OF_AN_OUTPUT.filter(lambda text: "\n" in text),
        "misspelled All": _WRONG_ALL,
    },
)
_SOME_IDS = st.lists(_ids().filter(lambda text: text.lower() != "all"), min_size=1, max_size=3)
TEMPLATES: Final = Many(
    TEMPLATE,
    least=1,
    valid=_SOME_IDS | st.just(["All"]),
    wrong={"All and others": _SOME_IDS.map(lambda ids: [*ids, "All"])},
)
LARGEST: Final = 2**53 - 1
_JSON = st.recursive(
    st.booleans()
    | st.text(CHARACTERS, max_size=5)
    | st.integers(-LARGEST, LARGEST)
    | st.floats(-(2**52), 2**52, width=32),
    lambda parts: st.lists(parts, max_size=2) | st.dictionaries(KEYS, parts, max_size=2),
    max_leaves=3,
)
_LARGE = st.sampled_from([float("nan"), float("inf"), 2.0**53, 2.0**53 + 2, -(2.0**60), 1e300])
ANY_JSON: Final = Leaf(
    _JSON,
    {
        "number": _LARGE,
        "number inside": _LARGE.map(lambda value: [{"a": value}]),
        "of an Output": OF_AN_OUTPUT,
    },
)
CHOSEN: Final = Named(FLAG)


# -- the objects of the page ---------------------------------------------------------------------

SYSTEM_TEMPLATES: Final = (
    "c3841b3122fd460db2bc99a6ec131cb8",
    "25524a2dae4541db93b2e891d7daf4b9",
    "06853553c4d3402698a17ff5dff87fd7",
    "1ddda0dd053c4c7488926eb2eb77eb34",
)


def _in_order(clip: Json) -> Json:
    """An end is after the start, or 0."""
    start, end = clip.get("startTime", 0), clip.get("endTime", 0)
    return clip if end == 0 or start < end else {**clip, "startTime": end, "endTime": 0}


CLIP: Final = Obj(
    {"startTime": MILLISECONDS, "endTime": MILLISECONDS},
    settle=_in_order,
    rivals={"startTime": ("endTime",), "endTime": ("startTime",)},
    rules={
        "ends before it starts": Rule(
            st.tuples(st.integers(1, 2**30), st.integers(0, 2**30)).map(
                lambda drawn: {"endTime": drawn[0], "startTime": drawn[0] + drawn[1]}
            ),
            "endTime",
        )
    },
)
_SAMPLE = ("fileIndex", "sampleOffsets", "width", "height")
_OTHERS = ("offsetTime", "offsetTimeList")


def _of_one_type(snapshot: Json) -> Json:
    """One template is of one type: the settings of two never take effect together."""
    if len(snapshot["templateId"]) > 1 or snapshot["templateId"] == ["All"]:
        return snapshot
    kept, dropped = (_SAMPLE, _OTHERS) if len(snapshot) % 2 else (_OTHERS, _SAMPLE)
    mixed = not snapshot.keys().isdisjoint(kept)
    return {key: snapshot[key] for key in snapshot if not (mixed and key in dropped)}


SNAPSHOT: Final = Obj(
    {
        "templateId": TEMPLATES,
        "fileName": FILE,
        "fileIndex": FILE,
        "offsetTime": MILLISECONDS,
        "sampleOffsets": Many(SECONDS),
        "offsetTimeList": Many(MILLISECONDS),
        "width": _integer(0, 4096),
        "height": _integer(0, 4096),
    },
    frozenset({"templateId"}),
    settle=_of_one_type,
    rivals={**dict.fromkeys(_SAMPLE, _OTHERS), **dict.fromkeys(_OTHERS, _SAMPLE)},
    rules={
        "of two types": Rule(
            st.builds(
                lambda sample, other, template: {"templateId": [template], **sample, **other},
                st.sampled_from(
                    [{"fileIndex": "i"}, {"sampleOffsets": [1.0]}, {"width": 0}, {"height": 9}]
                ),
                st.sampled_from([{"offsetTime": 1}, {"offsetTimeList": [0]}]),
                _ids().filter(lambda text: text.lower() != "all"),
            ),
            "",
        )
    },
)
_TRANSCODE: Final[dict[str, Node]] = {"templateId": TEMPLATES, "clip": CLIP, "fileName": FILE}
_NEEDS_TEMPLATE: Final = frozenset({"templateId"})
LOGO: Final = Obj({"templateId": TEMPLATE, "vars": Named(ANY_TEXT)}, _NEEDS_TEMPLATE)
TRANSCODE_AUDIO: Final = Obj(_TRANSCODE, _NEEDS_TEMPLATE)
TRANSCODE_VIDEO: Final = Obj(
    {**_TRANSCODE, "logoTemplateId": ID, "outputIndex": Many(MILLISECONDS)}, _NEEDS_TEMPLATE
)
ENHANCE: Final = Obj({"storageMode": TEXT, "fileName": FILE})
OVERRIDE_PARAMS: Final = Obj(
    {
        "logo": Many(LOGO),
        "snapshot": Many(SNAPSHOT),
        "transcodeAudio": Many(TRANSCODE_AUDIO),
        "transcodeVideo": Many(TRANSCODE_VIDEO),
        "enhance": ENHANCE,
    }
)
INPUT: Final = Obj({"overrideParams": OVERRIDE_PARAMS, "condition": CHOSEN})
DIRECT_URL: Final = Obj(
    {"fileName": FILE, "spaceName": ID, "bucketName": ID}, frozenset({"fileName"})
)
# The classes without a rule about the ClientToken.
RERUN_ON: Final = Many(
    Leaf(
        st.sampled_from(["systemError", "terminated"]),
        {"class": st.sampled_from(["", "2003", "failed", "system_error"]), "type": NO_TEXT},
    )
)


def without_alias(run: Json) -> Json:
    """One of two names of the same setting: both may contradict."""
    return {key: run[key] for key in run if key != "rerunOnFailure" or "rerunOn" not in run}


SOURCE: Final[dict[str, Node]] = {"vid": ID, "directUrl": DIRECT_URL}
SETTINGS: Final[dict[str, Node]] = {
    "templateId": Leaf(st.sampled_from(SYSTEM_TEMPLATES) | ID.valid, ID.wrong),
    "priority": _integer(-5, 5),
    "callbackArgs": CALLBACK_ARGS,
    "enableLowPriority": FLAG,
    "taskListId": ID,
    "triggers": Named(ANY_JSON),
    "rerunOn": RERUN_ON,
    "rerunOnFailure": FLAG,
}
OURS: Final[dict[str, Node]] = {
    "existingRunId": ID,
    "clientToken": CLIENT_TOKEN,
    "secretInputs": FLAG,
    "scope": Obj(
        dict.fromkeys(("project", "stack", "name", "parent", "item"), NAME),
        frozenset({"project", "stack", "name"}),
    ),
}
_BOTH = "vid, directUrl"
RUN: Final = Obj(
    {**SOURCE, "input": INPUT, **SETTINGS, **OURS},
    frozenset({"templateId"}),
    settle=without_alias,
    rivals={
        "vid": ("directUrl",),
        "directUrl": ("vid",),
        "rerunOn": ("rerunOnFailure",),
        "rerunOnFailure": ("rerunOn",),
    },
    rules={
        "both sources": Rule(
            st.builds(
                lambda v, f: {"vid": v, "directUrl": {"fileName": f, "spaceName": "s"}},
                ID.valid,
                FILE.valid,
            ),
            _BOTH,
        ),
        "no source": Rule(st.just({"vid": ABSENT, "directUrl": ABSENT}), _BOTH),
        "built-in without a space": Rule(
            st.builds(
                lambda f, t: {"vid": ABSENT, "directUrl": {"fileName": f}, "templateId": t},
                FILE.valid,
                st.sampled_from(SYSTEM_TEMPLATES),
            ),
            "directUrl.spaceName",
        ),
    },
)
