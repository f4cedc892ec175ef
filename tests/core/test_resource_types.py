"""The type tokens of both hosts mean the same resource."""

from __future__ import annotations

import pytest

from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    DYNAMIC_PROVIDER_TYPE,
    PACKAGED_PROVIDER_TYPE,
    RUN_TYPE,
    canonical_type,
    provider_configuration,
    type_of_urn,
)


@pytest.mark.parametrize(
    ("qualified", "canonical"),
    [
        ("vod:index:WorkflowRun", RUN_TYPE),
        (RUN_TYPE, RUN_TYPE),
        ("my:index:Season$vod:index:WorkflowBatch", f"my:index:Season${BATCH_TYPE}"),
        (f"vod:index:WorkflowRun${RUN_TYPE}", f"{RUN_TYPE}${RUN_TYPE}"),
        ("vod:index:WorkflowRuns", "vod:index:WorkflowRuns"),
        ("", ""),
    ],
)
def test_a_type_of_either_host_is_one_type(qualified: str, canonical: str) -> None:
    assert canonical_type(qualified) == canonical


def test_the_type_of_a_urn_is_that_of_the_resource() -> None:
    assert type_of_urn("urn:pulumi:s::p::my:index:Season$vod:index:WorkflowRun::a::b") == RUN_TYPE
    assert type_of_urn("urn:pulumi:s::p") == ""


def test_both_providers_have_the_configuration_under_full_keys() -> None:
    packaged = {"region": "cn-north-1", "version": "0.1.0"}
    assert provider_configuration(PACKAGED_PROVIDER_TYPE, packaged) == {
        "vod:region": "cn-north-1",
        "vod:version": "0.1.0",
    }
    dynamic = {"vod:region": "cn-north-1", "volcengine:accessKey": "a"}
    assert provider_configuration(DYNAMIC_PROVIDER_TYPE, dynamic) == dynamic
    assert provider_configuration("pulumi:providers:random", packaged) is None
