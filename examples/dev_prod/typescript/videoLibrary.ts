import * as pulumi from "@pulumi/pulumi";
import * as vod from "pulumi-vod";

export interface VideoLibraryArgs {
    /** Title -> Vid. The titles are the names of the runs. */
    videos: Record<string, string>;
    /** The id of the workflow. */
    workflow: string;
}

/** Videos that have all gone through one workflow. Each costs one run. */
export class VideoLibrary extends pulumi.ComponentResource {
    /** Title -> the number of files. */
    readonly renditions: pulumi.Output<Record<string, number>>;

    constructor(name: string, args: VideoLibraryArgs, opts?: pulumi.ComponentResourceOptions) {
        super("examples:video:VideoLibrary", name, {}, opts);
        // Children inherit `protect`.
        const child = { parent: this };
        const runs: Record<string, pulumi.Output<string>> = {};
        for (const [title, vid] of Object.entries(args.videos)) {
            runs[title] = new vod.WorkflowRun(title, { vid, templateId: args.workflow }, child).runId;
        }
        const done = new vod.WorkflowCompletion(`${name}-ready`, { runs, timeout: "2h" }, child);
        this.renditions = done.results.apply((results) =>
            Object.fromEntries(
                Object.entries(results).map(([title, result]) => [title, result.transcodes.length]),
            ),
        );
        this.registerOutputs({ renditions: this.renditions });
    }
}
