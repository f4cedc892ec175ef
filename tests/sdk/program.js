// What the official Node SDK makes of emulators, `host=access_key=secret_key`: a line of each.
const { vodOpenapi } = require("@volcengine/openapi");

const reads = {
  GetWorkflowExecution: "2020-08-01",
  GetWorkflowExecutionResult: "2022-12-01",
  GetWorkflowTemplate: "2023-07-01",
  ListWorkflowTemplate: "2023-07-01",
  GetMediaInfos: "2022-12-01",
};

function answered(answer) {
  const error = answer.ResponseMetadata.Error;
  if (error) throw new Error(`${error.Code}: ${error.Message}`);
  return answer.Result;
}

async function used(host, accessKeyId, secretKey) {
  const sdk = new vodOpenapi.VodService({ protocol: "http:", host, accessKeyId, secretKey });
  const read = async (action, query) =>
    answered(await sdk.createAPI(action, { Version: reads[action] })(query));
  // Its type lacks DirectUrl and ClientToken, and it cannot spell Input: this much it can send.
  const { RunId } = answered(
    await sdk.StartWorkflow({
      Vid: "v 1+中",
      TemplateId: "t",
      CallbackArgs: "a b&c",
      EnableLowPriority: true,
    }),
  );
  const told = await read("GetWorkflowExecution", { RunId, NeedTasksDetail: "true" });
  const made = await read("GetWorkflowExecutionResult", { RunId });
  const template = await read("GetWorkflowTemplate", { TemplateId: "t" });
  const listed = await read("ListWorkflowTemplate", { Limit: 2 });
  const videos = await read("GetMediaInfos", { Vids: "v,emu-missing" });
  return {
    runId: RunId,
    status: told.Status,
    callbackArgs: told.CallbackArgs,
    tasks: told.TasksDetail.length,
    ended: made.Status,
    videos: made.TranscodeInfos.length,
    codec: made.TranscodeInfos[0].VideoStreamMeta.Codec,
    snapshots: made.Snapshots.map((snapshot) => snapshot.Type),
    template: template.WorkflowTemplate.TemplateId,
    total: Number(listed.Total),
    listed: listed.Data.length,
    video: videos.MediaInfoList[0].BasicInfo.Vid,
    missing: videos.NotExistVids,
  };
}

async function main() {
  for (const target of process.argv.slice(2)) {
    const answer = await used(...target.split("=")).catch((error) => ({
      error: `${error.message} ${JSON.stringify(error.response?.data ?? error.data ?? "")}`,
    }));
    console.log(JSON.stringify(answer));
  }
}

main();
