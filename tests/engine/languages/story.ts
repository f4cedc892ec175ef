// A program of the Automation API: a run with a secret, a batch, and the wait for it.
import * as pulumi from "@pulumi/pulumi";
import { LocalWorkspace } from "@pulumi/pulumi/automation";

import * as vod from "pulumi-vod";

async function program() {
    const run = new vod.WorkflowRun("run", {
        vid: pulumi.secret("s3cr3t-vid"),
        templateId: "t1",
        triggers: { edition: 1, half: 0.5 },
        input: { overrideParams: { logo: [{ templateId: "All", vars: { Keyword: "水印" } }] } },
    });
    const batch = new vod.WorkflowBatch("batch", {
        items: { e1: { vid: "v1" }, e2: { vid: "v2", priority: 2 } },
        defaults: { templateId: "t2" },
    });
    const done = new vod.WorkflowCompletion("done", { runs: batch.runs, timeout: "5m" });
    const found = vod.getRunOutput({ runId: batch.runs.apply((runs) => runs["e1"].runId) });
    return {
        runId: run.runId,
        endpoint: run.endpoint,
        phases: done.results.apply((results) => [results["e1"].phase, results["e2"].phase]),
        templateId: found.templateId,
    };
}

async function main() {
    const stack = await LocalWorkspace.createOrSelectStack({
        stackName: "test",
        projectName: "languages",
        program,
    });
    for (const [key, value] of Object.entries(JSON.parse(process.env["STORY_CONFIG"]!))) {
        await stack.setConfig(key, { value: String(value) });
    }
    const preview = await stack.preview();
    const first = await stack.up();
    const second = await stack.up();
    await stack.destroy();
    const outputs = Object.entries(first.outputs).map(([name, output]) => [name, output.value]);
    const changes = [preview.changeSummary, second.summary.resourceChanges];
    console.log(JSON.stringify({ outputs: Object.fromEntries(outputs), changes }));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
