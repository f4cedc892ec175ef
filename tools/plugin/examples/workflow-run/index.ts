import * as vod from "pulumi-vod";

const talk = new vod.WorkflowRun("talk", {
    templateId: "3d1c5ad0c7f04bbd",
    directUrl: { spaceName: "videos", fileName: "talks/opening.mp4" },
    input: {
        overrideParams: {
            transcodeVideo: [{ templateId: ["All"], clip: { startTime: 0, endTime: 60000 } }],
        },
    },
    // Another value starts a run, which is paid.
    triggers: { edition: 1 },
});

export const runId = talk.runId;
export const phase = talk.phase;
