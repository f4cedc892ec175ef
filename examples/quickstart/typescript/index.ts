// The three examples of the service's own page, as a stack that waits for their files.
import * as vod from "pulumi-vod";

// A video by its Vid, with a built-in workflow (six paid outputs).
const fromVid = new vod.WorkflowRun("by-vid", {
    vid: "v0d399g10001csunlgaljhtddi6hgvn0",
    templateId: "06853553c4d3402698a17ff5dff87fd7",
});

// A file of a space.
const fromFile = new vod.WorkflowRun("by-file", {
    directUrl: { fileName: "vodtest.mp4", spaceName: "test-jinling" },
    templateId: "c3841b3122fd460db2bc99a6ec131cb8",
});

// Snapshots with a path from this program.
const snapshots = new vod.WorkflowRun("snapshot-paths", {
    vid: "v0d399g10001csunlgaljhtddi6hgvn0",
    templateId: "a378f66a5bc2495eb55fc14ac109625f",
    input: {
        overrideParams: {
            snapshot: [
                {
                    templateId: ["94c8d47c4c39440b8e6b4e0ce7a96776"],
                    fileName: "{{fileTitle}}_{{templateId}}",
                },
            ],
        },
    },
});

// One wait for all three, which is free.
const done = new vod.WorkflowCompletion("done", {
    runs: { byVid: fromVid.runId, byFile: fromFile.runId, snapshotPaths: snapshots.runId },
    timeout: "10m",
});

/** Returns where the output files of a run are stored. */
function videos(name: string) {
    return done.results.apply((results) => results[name].transcodes.map((file) => file.storeUri));
}

export const byVid = videos("byVid");
export const byFile = videos("byFile");
export const snapshotPaths = done.results.apply((results) =>
    results["snapshotPaths"].snapshots.flatMap(({ poster }) => (poster ? [poster.storeUri] : [])),
);
