// Every kind of override in one start. Each names the template whose settings it replaces.
import * as vod from "pulumi-vod";

// The workflow, and the templates that it applies, as the VOD console shows them.
const WORKFLOW = "0f3a1c5e7b9d4f6082a4c6e8091b3d5f";
const WATERMARK = "1091058d3f5a7c9eb1d3f5a76b8f408c";
const VIDEO = "2a4c6e8091b3d5f70f3a1c5e7b9d4f60";
const AUDIO = "3b5d7f91a2c4e6f81a4b2d6f8c0e5a71";
const POSTER = "4c6e80a2b3d5f7092b5c3e7a9d1f6b82";
const SAMPLES = "5d7f91b3c4e6081a3c6d4f8bae207c93";

const trailer = new vod.WorkflowRun("trailer", {
    directUrl: { fileName: "films/harbour.mp4", spaceName: "my-space" },
    templateId: WORKFLOW,
    input: {
        overrideParams: {
            // The watermark's text, which its template leaves open.
            logo: [{ templateId: WATERMARK, vars: { keyword: "Preview" } }],
            // From 10 s to 40 s of the source, with the watermark, at a path of this program.
            transcodeVideo: [
                {
                    templateId: [VIDEO],
                    clip: { startTime: 10_000, endTime: 40_000 },
                    logoTemplateId: WATERMARK,
                    fileName: "trailers/{{fileTitle}}",
                },
            ],
            // The first 15 s as sound alone.
            transcodeAudio: [
                {
                    templateId: [AUDIO],
                    clip: { endTime: 15_000 },
                    fileName: "trailers/{{fileTitle}}-sound",
                },
            ],
            // A poster at 12 s (milliseconds), and samples at three places (seconds).
            snapshot: [
                { templateId: [POSTER], offsetTime: 12_000, fileName: "posters/{{fileTitle}}" },
                {
                    templateId: [SAMPLES],
                    sampleOffsets: [1, 12.5, 30],
                    fileName: "samples/{{fileTitle}}",
                    fileIndex: "samples/{{fileTitle}}.json",
                    width: 640,
                    height: 0, // scaled
                },
            ],
        },
    },
});

const done = new vod.WorkflowCompletion("trailer-done", {
    runs: { trailer: trailer.runId },
    timeout: "1h",
});
const result = done.results.apply((results) => results["trailer"]);

export const files = result.apply(({ transcodes }) =>
    Object.fromEntries(
        transcodes.map(({ storeUri, fileType, duration }) => [
            storeUri,
            `${fileType}, ${duration?.toFixed(1)} s`,
        ]),
    ),
);
export const posters = result.apply(({ snapshots }) =>
    snapshots.flatMap(({ poster }) => (poster ? [poster.storeUri] : [])),
);
export const samples = result.apply(({ snapshots }) =>
    snapshots.flatMap(({ sample }) => sample?.storeUris ?? []),
);
