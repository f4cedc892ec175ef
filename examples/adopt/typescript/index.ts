// A run that exists already, started by hand or by a lost stack, is adopted.
import * as pulumi from "@pulumi/pulumi";
import * as vod from "pulumi-vod";

// The RunId, as the VOD console shows it. With a RunId the provider never starts a run. Without one
// this is a declaration like any other.
const existingRunId = new pulumi.Config().get("existingRunId");

const harbour = new vod.WorkflowRun("harbour", {
    existingRunId,
    vid: "v0d399g10001csunlgaljhtddi6hgvn0",
    templateId: "0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
});
const done = new vod.WorkflowCompletion("harbour-done", { runs: { harbour: harbour.runId } });

export const runId = harbour.runId;
export const startedHere = harbour.submittedAt.apply((time) => time !== undefined);
export const result = done.results.apply((results) => results["harbour"].phase);
