"""What the official Python SDK makes of emulators, `host=access_key=secret_key`: a line of each."""

import json
import sys
from typing import Any

from volcengine.vod.models.request import request_vod_pb2
from volcengine.vod.VodService import VodService

requests: Any = request_vod_pb2


def used(host: str, access_key: str, secret_key: str) -> dict[str, Any]:
    """Return what the answers of all six calls have."""
    sdk = VodService()
    sdk.set_scheme("http")
    sdk.set_host(host)
    sdk.set_ak(access_key)
    sdk.set_sk(secret_key)

    start = requests.VodStartWorkflowRequest(
        Vid="v 1+中", TemplateId="t", CallbackArgs="a b&c", EnableLowPriority=True
    )
    start.Input.OverrideParams.Snapshot.add(
        TemplateId=["s"], FileName="{{fileTitle}} x", SampleOffsets=[1]
    )
    run_id = sdk.start_workflow(start).Result.RunId
    told = sdk.get_workflow_execution(
        requests.VodGetWorkflowExecutionStatusRequest(RunId=run_id, NeedTasksDetail="true")
    ).Result
    made = sdk.get_workflow_execution_result(
        requests.VodGetWorkflowResultRequest(RunId=run_id)
    ).Result
    template = sdk.get_workflow_template(
        requests.VodGetWorkflowTemplateRequest(TemplateId="t")
    ).Result
    listed = sdk.list_workflow_template(requests.VodListWorkflowTemplateRequest(Limit=2)).Result
    videos = sdk.get_media_infos(requests.VodGetMediaInfosRequest(Vids="v,emu-missing")).Result
    return {
        "runId": run_id,
        "status": told.Status,
        "callbackArgs": told.CallbackArgs,
        "tasks": len(told.TasksDetail),
        "ended": made.Status,
        "videos": len(made.TranscodeInfos),
        "codec": made.TranscodeInfos[0].VideoStreamMeta.Codec,
        "snapshots": [snapshot.Type for snapshot in made.Snapshots],
        "template": template.WorkflowTemplate.TemplateId,
        "total": listed.Total,
        "listed": len(listed.Data),
        "video": videos.MediaInfoList[0].BasicInfo.Vid,
        "missing": list(videos.NotExistVids),
    }


for target in sys.argv[1:]:
    try:
        answer = used(*target.split("="))
    except Exception as error:  # noqa: BLE001 - of any kind
        answer = {"error": str(error)}
    print(json.dumps(answer))  # noqa: T201 - its answer
