"""What goes over the wire, as the page has it."""

import json

from pulumi_vod_workflow.core import operations
from pulumi_vod_workflow.core.inputs.property_names import to_property_names
from pulumi_vod_workflow.core.request import request_fields


def start(**raw: object) -> operations.ApiRequest:
    return operations.start_workflow(request_fields(to_property_names(raw)), "token")


def test_the_pages_vid_example_is_a_get() -> None:
    """Page, example 1: everything in the query."""
    request = start(vid="v0d399g10001csunlgaljhtddi6hgvn0", template_id="0685")
    assert request.method == "GET"
    assert dict(request.query) == {
        "Action": "StartWorkflow",
        "Version": "2020-08-01",
        "Vid": "v0d399g10001csunlgaljhtddi6hgvn0",
        "TemplateId": "0685",
        "ClientToken": "token",
    }
    assert request.body == b""


def test_objects_are_json_text() -> None:
    """Page, examples 2 and 3: DirectUrl and Input are strings of JSON, names in PascalCase."""
    request = start(
        direct_url={"file_name": "vodtest.mp4", "space_name": "test-jinling"},
        template_id="t",
        input={
            "override_params": {
                "snapshot": [{"template_id": ["94c8"], "file_name": "{{fileTitle}}_{{templateId}}"}]
            },
            "condition": {"my_condition": True},
        },
        enable_low_priority=True,
        priority=-3.0,
    )
    query = dict(request.query)
    assert query["DirectUrl"] == '{"FileName":"vodtest.mp4","SpaceName":"test-jinling"}'
    assert json.loads(query["Input"]) == {
        "OverrideParams": {
            "Snapshot": [{"TemplateId": ["94c8"], "FileName": "{{fileTitle}}_{{templateId}}"}]
        },
        "Condition": {"my_condition": True},
    }
    assert query["EnableLowPriority"] == "true"
    assert query["Priority"] == "-3"


def test_a_long_start_is_a_post() -> None:
    """Facts 7: POST for long parameters; DirectUrl and Input stay strings of JSON."""
    logos = [{"template_id": "All", "vars": {"文字": "水印" * 500}}]
    request = start(vid="v", template_id="t", input={"override_params": {"logo": logos}})
    assert request.method == "POST"
    assert dict(request.query) == {"Action": "StartWorkflow", "Version": "2020-08-01"}
    body = json.loads(request.body)
    assert body["Vid"] == "v"
    assert json.loads(body["Input"])["OverrideParams"]["Logo"][0]["Vars"] == {"文字": "水印" * 500}


def test_the_reads() -> None:
    """Facts 1 to 3: actions, versions and parameters of the free calls."""
    assert dict(operations.get_workflow_execution("lb:1").query) == {
        "Action": "GetWorkflowExecution",
        "Version": "2020-08-01",
        "RunId": "lb:1",
        "NeedTasksDetail": "true",
    }
    assert dict(operations.get_workflow_execution_result("lb:1").query) == {
        "Action": "GetWorkflowExecutionResult",
        "Version": "2022-12-01",
        "RunId": "lb:1",
    }
    assert dict(operations.get_workflow_template("t").query)["Version"] == "2023-07-01"
    assert dict(operations.get_media_infos(["v1", "v2"]).query) == {
        "Action": "GetMediaInfos",
        "Version": "2022-12-01",
        "Vids": "v1,v2",
    }
