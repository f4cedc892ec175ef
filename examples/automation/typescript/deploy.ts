// A deployment as a program. It counts the starts of a preview, and stops if they are too many.
//
//     node bin/deploy.js VID... [--max-starts N]
//     node bin/deploy.js --destroy
import { parseArgs } from "node:util";

import * as auto from "@pulumi/pulumi/automation";
import * as vod from "pulumi-vod";

const STARTS = ["create", "create-replacement"];

/** Declares a run for each video, and the wait for all. */
async function declare(vids: string[]) {
    const runs = Object.fromEntries(
        vids.map((vid) => [
            vid,
            new vod.WorkflowRun(vid, { vid, templateId: "0f3a1c5e7b9d4f6082a4c6e8091b3d5f" }).runId,
        ]),
    );
    const done = new vod.WorkflowCompletion("done", { runs, timeout: "2h", onFailure: "record" });
    const phases = done.results.apply((results) =>
        Object.fromEntries(Object.entries(results).map(([vid, result]) => [vid, result.phase])),
    );
    return { failed: done.failed, phases };
}

/** Previews, which is free, and counts the runs that `up` would start. */
async function countStarts(stack: auto.Stack) {
    let starts = 0;
    await stack.preview({
        onEvent: ({ resourcePreEvent }) => {
            const step = resourcePreEvent?.metadata;
            if (step?.type === "vod:index:WorkflowRun" && STARTS.includes(step.op)) {
                starts += 1;
            }
        },
    });
    return starts;
}

async function main() {
    const { values, positionals } = parseArgs({
        allowPositionals: true,
        options: {
            "max-starts": { type: "string", default: "5" },
            destroy: { type: "boolean", default: false },
        },
    });

    // The state is at PULUMI_BACKEND_URL, for example a `file://` folder.
    const stack = await auto.LocalWorkspace.createOrSelectStack({
        stackName: "dev",
        projectName: "vod-automation-typescript",
        program: () => declare(positionals),
    });
    // Without this line, and with the key pair set, this is the real, paid service.
    await stack.setConfig("vod:endpoint", { value: "emulator" });
    if (values.destroy) {
        await stack.destroy();
        return;
    }

    const starts = await countStarts(stack);
    console.log(`to start: ${starts}`);
    if (starts > Number(values["max-starts"])) {
        console.error(`more than ${values["max-starts"]}: nothing was started; raise --max-starts`);
        process.exitCode = 1;
        return;
    }
    const done = await stack.up();
    for (const [vid, phase] of Object.entries(done.outputs["phases"].value).sort()) {
        console.log(`${vid}: ${phase}`);
    }
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
