import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";

interface CatalogueArgs {
    path: string;
    /** Title -> the places of its files. */
    entries: Record<string, string[]>;
}

/** Writes the file, and removes it with the resource. */
const provider: pulumi.dynamic.ResourceProvider<CatalogueArgs, CatalogueArgs> = {
    async create(args) {
        fs.writeFileSync(args.path, `${JSON.stringify(args.entries, null, 2)}\n`);
        return { id: args.path, outs: args };
    },
    async update(_id, _olds, args) {
        fs.writeFileSync(args.path, `${JSON.stringify(args.entries, null, 2)}\n`);
        return { outs: args };
    },
    async delete(_id, args) {
        fs.rmSync(args.path, { force: true });
    },
};

/** A resource that needs results: a catalogue in a local file. */
export class Catalogue extends pulumi.dynamic.Resource {
    declare readonly entries: pulumi.Output<Record<string, string[]>>;

    constructor(
        name: string,
        args: { path: pulumi.Input<string>; entries: pulumi.Input<Record<string, string[]>> },
        opts?: pulumi.CustomResourceOptions,
    ) {
        super(provider, name, args, opts);
    }
}
