// A folder of videos, listed in a file: one batch starts them, one wait has their results.
import * as vod from "pulumi-vod";

import videos from "./videos.json"; // the compiler checks the items, too

const season = new vod.WorkflowBatch("season", {
    items: videos,
    defaults: {
        templateId: "06853553c4d3402698a17ff5dff87fd7", // built-in: six outputs of each video
        directUrl: { spaceName: "my-space" }, // merged with the fileName of each item
    },
});

// `record`: the results of the other videos do not depend on a failed one.
const done = new vod.WorkflowCompletion("season-done", {
    runs: season.runs,
    timeout: "6h",
    onFailure: "record",
});

export const rejected = season.rejected;
export const failed = done.failed;
export const renditions = done.results.apply((results) =>
    Object.fromEntries(
        Object.entries(results).map(([key, result]) => [key, result.transcodes.length]),
    ),
);
