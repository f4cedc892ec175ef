"""The token is what stands between a repeat and a second bill."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.batch.inputs import (
    items_of,
    normalise_batch,
    with_derived_batch_inputs,
)
from pulumi_vod_workflow.core.client_token import client_token
from pulumi_vod_workflow.core.inputs.property_names import to_property_names
from pulumi_vod_workflow.core.values import UNKNOWN

SCOPE = {"project": "p", "stack": "s", "name": "n"}

# Editing one of these bills every user's runs again. They never change.
GOLDEN = {
    "vid": (
        {"vid": "v1", "templateId": "t", "scope": SCOPE},
        "pvw1-e4837e3aba1316ff99454f3d64601257450a53e6a5ed304f",
    ),
    "direct_url_chinese": (
        {
            "directUrl": {"fileName": "视频/预告片.mp4", "spaceName": "空间"},
            "templateId": "t",
            "callbackArgs": "参数",
            "scope": {**SCOPE, "parent": "a:b:C"},
        },
        "pvw1-7fcfdf58d1de5a7a9a5b09719063e565141be53551152d61",
    ),
    "everything": (
        {
            "vid": "v1",
            "templateId": "t",
            "priority": -5,
            "callbackArgs": "x",
            "enableLowPriority": True,
            "taskListId": "q",
            "input": {
                "overrideParams": {
                    "logo": [{"templateId": "All", "vars": {"k": "v"}}],
                    "snapshot": [{"templateId": ["a"], "sampleOffsets": [1, 2.5], "width": 0}],
                    "transcodeVideo": [{"templateId": ["b"], "clip": {"endTime": 20000}}],
                },
                "condition": {"c": False},
            },
            "triggers": {"version": 3, "notes": ["a", None, True]},
            "scope": SCOPE,
        },
        "pvw1-93eb6b12bfda526d964c1c83137bb1f0e1bae15c76ababda",
    ),
}


@pytest.mark.parametrize(("properties", "token"), GOLDEN.values(), ids=GOLDEN)
def test_tokens_never_change(properties: dict[str, object], token: str) -> None:
    """A release that changes a token would start every run again."""
    assert client_token(to_property_names(properties)) == token
    assert len(token) == 53  # of the page's 64


# The same for the items of a batch: key, item, defaults, scope, token.
GOLDEN_ITEMS = {
    "vid": (
        "a",
        {"vid": "v1", "templateId": "t"},
        {},
        SCOPE,
        "pvw1-4a2b0fb024b4fb3150b17638ffd84f727fab140edc001918",
    ),
    "chinese": (
        "第 1 集",
        {"directUrl": {"fileName": "视频/1.mp4"}},
        {
            "vid": "v1",
            "directUrl": {"spaceName": "空间"},
            "templateId": "t",
            "callbackArgs": "参数",
        },
        {**SCOPE, "parent": "a:b:C"},
        "pvw1-bef579c97b5b70379331a6fcd12d097e5f1a5ffe4d14bfe3",
    ),
    "everything": (
        "x/y.mp4",
        {
            "vid": "v1",
            "priority": -5,
            "callbackArgs": "x",
            "input": {"condition": {"c": False}},
            "triggers": {"version": 3, "notes": ["a", None, True]},
            "rerunOnFailure": True,
        },
        {
            "templateId": "t",
            "priority": 4,
            "enableLowPriority": True,
            "taskListId": "q",
            "input": {
                "overrideParams": {
                    "logo": [{"templateId": "All", "vars": {"k": "v"}}],
                    "snapshot": [{"templateId": ["a"], "sampleOffsets": [1, 2.5], "width": 0}],
                },
                "condition": {"c": True, "d": True},
            },
            "triggers": {"version": 2, "day": "x"},
        },
        SCOPE,
        "pvw1-1206b690156dab54a74db674786346e402b4c6c9dc68e68f",
    ),
    "a_key_like_an_input": (
        "vid",
        {"vid": "v1", "triggers": {"n": 1}},
        {"templateId": "t"},
        SCOPE,
        "pvw1-a59ae4409851f8b3449c2d24b9d8491f76f6dc330f86eaf9",
    ),
}
PLAIN = {"vid": "v1", "templateId": "t", "priority": 3, "triggers": {"a": 1, "b": 2.5}}


def item_tokens(**batch: object) -> dict[str, str]:
    """Return the tokens of a batch's items, as a resource is given them."""
    tokens: dict[str, str] = with_derived_batch_inputs(
        {}, normalise_batch({"scope": SCOPE, **batch})
    )["clientTokens"]
    return tokens


@pytest.mark.parametrize(
    ("key", "item", "defaults", "scope", "token"), GOLDEN_ITEMS.values(), ids=GOLDEN_ITEMS
)
def test_tokens_of_items_never_change(
    key: str,
    item: dict[str, object],
    defaults: dict[str, object],
    scope: dict[str, str],
    token: str,
) -> None:
    """They are a run's token, with the item's key in the scope."""
    batch = {"items": {key: item}, "defaults": defaults, "scope": scope}
    assert item_tokens(**batch) == {key: token}
    merged = items_of(normalise_batch(batch))[key]
    assert client_token({**merged, "scope": {**scope, "item": key}}) == token


@pytest.mark.parametrize(
    "same",
    [
        {"items": {"k": PLAIN}, "defaults": {"taskListId": None, "callbackArgs": ""}},
        {"items": {"k": {}}, "defaults": PLAIN},
        {"items": {"k": {"vid": "v1", "priority": 3}}, "defaults": {**PLAIN, "priority": 1}},
        {"items": {"k": {**PLAIN, "triggers": {"b": 2.5}}}, "defaults": {"triggers": {"a": 1}}},
        {"items": {"k": PLAIN}, "defaults": {"directUrl": {"fileName": "f"}}},
        {"items": {"k": {**PLAIN, "priority": 3.0, "triggers": {"b": 2.5, "a": 1.0}}}},
        {"items": {"k": {"template_id": "t", **{k: PLAIN[k] for k in reversed(PLAIN)}}}},
        {"items": {"k": {**PLAIN, "rerunOnFailure": True, "enable_low_priority": False}}},
        {"items": {"k": PLAIN, "a": PLAIN, "z": {"vid": "w", "templateId": "t"}}},
        {"items": {"z": UNKNOWN, "k": PLAIN, "a": {**PLAIN, "vid": UNKNOWN}}},
    ],
)
def test_the_token_of_an_item_is_of_what_it_means(same: dict[str, object]) -> None:
    """Said by itself or the defaults, spelled in any way, beside any others, in any order."""
    assert item_tokens(**same)["k"] == item_tokens(items={"k": PLAIN})["k"]


def test_each_item_is_a_run_of_its_own() -> None:
    """Two items, two batches, and a batch and a run have different tokens for the same start."""
    tokens = [
        *item_tokens(items={"k": PLAIN, "l": PLAIN}).values(),
        *item_tokens(items={"k": PLAIN}, scope={**SCOPE, "name": "m"}).values(),
        *item_tokens(items={"k": {**PLAIN, "triggers": {"a": 2}}}).values(),
        client_token({**PLAIN, "scope": SCOPE}),
    ]
    assert len(set(tokens)) == 5


def test_spelling_does_not_matter() -> None:
    """Floats from the engine, snake_case, key order, None and defaults give one token."""
    plain = {"vid": "v1", "templateId": "t", "priority": 3, "scope": SCOPE, "triggers": {"a": 1}}
    spelled = {
        "triggers": {"a": 1.0},
        "scope": SCOPE,
        "priority": 3.0,
        "template_id": "t",
        "vid": "v1",
        "callback_args": None,
        "enable_low_priority": False,
        "input": {},
    }
    assert client_token(to_property_names(plain)) == client_token(to_property_names(spelled))


@pytest.mark.parametrize(
    "change",
    [
        {"vid": "v2"},
        {"templateId": "u"},
        {"priority": 1},
        {"callbackArgs": "x"},
        {"input": {"condition": {"a": True}}},
        {"triggers": {"a": 2}},
        {"triggers": {}},
        {"scope": {**SCOPE, "name": "m"}},
        {"scope": {**SCOPE, "stack": "m"}},
        {"scope": {**SCOPE, "project": "m"}},
        {"scope": {**SCOPE, "parent": "m"}},
    ],
)
def test_everything_that_means_another_run_changes_the_token(change: dict[str, object]) -> None:
    """Two different starts, and two resources with the same start, have two tokens."""
    plain = {"vid": "v1", "templateId": "t", "scope": SCOPE, "triggers": {"a": 1}}
    assert client_token(to_property_names(plain)) != client_token(
        to_property_names({**plain, **change})
    )


@pytest.mark.parametrize(
    "change", [{"rerunOnFailure": True}, {"existingRunId": "lb:1"}, {"clientToken": "mine"}]
)
def test_what_is_not_sent_leaves_the_token(change: dict[str, object]) -> None:
    """Settings of ours are free to change."""
    plain = {"vid": "v1", "templateId": "t", "scope": SCOPE}
    assert client_token(to_property_names(plain)) == client_token(
        to_property_names({**plain, **change})
    )


@given(st.permutations(["vid", "templateId", "scope"]), st.sampled_from(["x", {"y": [...]}]))
def test_an_unknown_anywhere_leaves_the_token_open(order: list[str], where: object) -> None:
    """A token is never computed from a guess."""
    properties: dict[str, object] = {"vid": "v1", "templateId": "t", "scope": SCOPE}
    shuffled = {key: properties[key] for key in order}
    unknown = UNKNOWN if where == "x" else {"y": [UNKNOWN]}
    assert client_token({**shuffled, "triggers": {"a": unknown}}) is None


def test_locale_and_hash_seed_do_not_matter() -> None:
    """Another process, with another hash seed and locale, derives the same token."""
    code = (
        "from pulumi_vod_workflow.core.client_token import client_token;"
        "print(client_token({'vid':'v1','templateId':'t',"
        "'scope':{'project':'p','stack':'s','name':'n'}}))"
    )
    for seed, locale in (("0", "C"), ("1", "zh_CN.UTF-8")):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == GOLDEN["vid"][1]
