import * as pulumi from "@pulumi/pulumi";
import * as vod from "pulumi-vod";

const found = vod.getRunOutput({ runId: new pulumi.Config().require("runId") });

export const phase = found.phase;
export const files = found.transcodes;
