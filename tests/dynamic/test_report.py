"""The status that carries a failure's message to the engine."""

from __future__ import annotations

import pytest

from tests.forks import loaded_by

OURS = "pulumi_vod_workflow._provider"
PULUMIS = "pulumi.provider.experimental, pulumi.runtime.proto.status_pb2"
GOOGLES = "google.rpc.status_pb2"


@pytest.mark.parametrize("other", [PULUMIS, GOOGLES])
@pytest.mark.parametrize("ours_first", [False, True])
def test_another_status_may_be_loaded_in_the_process(other: str, ours_first: bool) -> None:
    """A process can load only one of theirs: whichever it is, ours stands beside it."""
    order = [OURS, other] if ours_first else [other, OURS]
    code = f"""
import {", ".join(order)}, sys
from pulumi_vod_workflow.dynamic.sdk_compat.status_details import Status
theirs = sys.modules[{other.rsplit(", ", maxsplit=1)[-1]!r}].Status
said = {{"code": 2, "message": "vod: 失败\\nA run may exist."}}
assert Status(**said).SerializeToString() == theirs(**said).SerializeToString()
"""
    loaded_by(code)
