import * as vod from "pulumi-vod";

// The key is part of an item's identity: another key is another run, which is paid.
const files = { e01: "season-1/e01.mp4", e02: "season-1/e02.mp4" };

const season = new vod.WorkflowBatch("season", {
    defaults: { templateId: "3d1c5ad0c7f04bbd", directUrl: { spaceName: "videos" } },
    items: Object.fromEntries(
        Object.entries(files).map(([key, fileName]) => [key, { directUrl: { fileName } }]),
    ),
});

export const runs = season.runs;
export const rejected = season.rejected;
