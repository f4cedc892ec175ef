import * as vod from "pulumi-vod";

const talk = new vod.WorkflowRun("talk", {
    templateId: "3d1c5ad0c7f04bbd",
    vid: "v0d00fg10000c8mmmrbc77ua5uvsgst0",
});

// A wait that fails or is stopped loses nothing: the next `pulumi up` continues it.
const ended = new vod.WorkflowCompletion("ended", {
    runs: { talk: talk.runId },
    timeout: "45m",
    onFailure: "record",
});

export const files = ended.results.apply((results) => results["talk"].transcodes);
export const failed = ended.failed;
