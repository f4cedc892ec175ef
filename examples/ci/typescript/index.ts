// The videos of a repository: a pull request that adds one shows the cost.
import * as pulumi from "@pulumi/pulumi";
import * as vod from "pulumi-vod";

const videos = {
    harbour: "v0d399g10001csunlgaljhtddi6hgvn0",
    lighthouse: "v0d399g10001csunlgaljhtddi6hgvn1",
};

const started: Record<string, pulumi.Output<string>> = {};
for (const [title, vid] of Object.entries(videos)) {
    const templateId = "06853553c4d3402698a17ff5dff87fd7";
    started[title] = new vod.WorkflowRun(title, { vid, templateId }).phase;
}

export const phases = started;
