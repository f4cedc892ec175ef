// One program for both stacks. Pulumi.dev.yaml and Pulumi.prod.yaml have the differences.
import * as pulumi from "@pulumi/pulumi";

import { VideoLibrary } from "./videoLibrary";

const config = new pulumi.Config();
const library = new VideoLibrary(
    "library",
    {
        videos: config.requireObject<Record<string, string>>("videos"),
        workflow: config.require("workflow"),
    },
    { protect: config.getBoolean("protect") },
);

export const renditions = library.renditions;
