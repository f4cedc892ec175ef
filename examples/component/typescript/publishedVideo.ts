import * as pulumi from "@pulumi/pulumi";
import * as vod from "pulumi-vod";

export interface PublishedVideoArgs {
    /** The Vid of the source. */
    vid: string;
    /** The id of the workflow that transcodes. */
    renditions: string;
    /** The id of the workflow that takes snapshots. */
    posters: string;
}

/** A video as viewers get it: renditions and posters. Creating one costs two runs. */
export class PublishedVideo extends pulumi.ComponentResource {
    /** The places of the renditions. */
    readonly files: pulumi.Output<(string | undefined)[]>;
    /** The place of the first poster. */
    readonly poster: pulumi.Output<string | undefined>;

    constructor(name: string, args: PublishedVideoArgs, opts?: pulumi.ComponentResourceOptions) {
        super("examples:video:PublishedVideo", name, {}, opts);
        const child = { parent: this };
        const renditions = new vod.WorkflowRun(
            `${name}-renditions`,
            {
                vid: args.vid,
                templateId: args.renditions,
                input: {
                    overrideParams: {
                        transcodeVideo: [{ templateId: ["All"], fileName: `${name}/{{templateId}}` }],
                    },
                },
            },
            child,
        );
        const posters = new vod.WorkflowRun(
            `${name}-posters`,
            {
                vid: args.vid,
                templateId: args.posters,
                input: {
                    overrideParams: {
                        snapshot: [
                            { templateId: ["All"], offsetTime: 5000, fileName: `${name}/poster` },
                        ],
                    },
                },
            },
            child,
        );
        // One wait for both: a published video has its renditions and its posters.
        const { results } = new vod.WorkflowCompletion(
            `${name}-published`,
            { runs: { renditions: renditions.runId, posters: posters.runId }, timeout: "2h" },
            child,
        );
        this.files = results.apply((found) =>
            found["renditions"].transcodes.map((file) => file.storeUri),
        );
        this.poster = results.apply(
            (found) => found["posters"].snapshots.find((item) => item.poster)?.poster?.storeUri,
        );
        this.registerOutputs({ files: this.files, poster: this.poster });
    }
}
