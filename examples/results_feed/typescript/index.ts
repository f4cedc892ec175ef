// The results of a run feed another run and a resource of another kind, in the same `up`.
import * as vod from "pulumi-vod";

import { Catalogue } from "./catalogueResource";

const spaceName = "my-space";

// First a workflow of one rendition transcodes the master ...
const master = new vod.WorkflowRun("master", {
    directUrl: { fileName: "films/harbour.mov", spaceName },
    templateId: "0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
    input: {
        overrideParams: {
            transcodeVideo: [{ templateId: ["All"], fileName: "web/{{fileTitle}}" }],
        },
    },
});
const done = new vod.WorkflowCompletion("master-done", {
    runs: { master: master.runId },
    timeout: "2h",
});
const uris = done.results.apply((results) =>
    results["master"].transcodes.map((file) => file.storeUri!),
);

// ... then a second paid run makes posters of the first output ...
const posters = new vod.WorkflowRun("posters", {
    directUrl: { fileName: uris.apply(([uri]) => new URL(uri).pathname.slice(1)), spaceName },
    templateId: "a378f66a5bc2495eb55fc14ac109625f",
    input: {
        overrideParams: { snapshot: [{ templateId: ["All"], fileName: "posters/{{fileTitle}}" }] },
    },
    // A rerun of the master writes new files to the same path.
    triggers: { master: master.runId },
});

// ... and a resource that starts nothing publishes the list.
const published = new Catalogue("catalogue", {
    path: "catalogue.json",
    entries: uris.apply((harbour) => ({ harbour })),
});

export const postersFrom = posters.directUrl.apply((source) => source?.fileName);
export const catalogue = published.entries;
