import * as vod from "pulumi-vod";

export const workflows = vod.getBuiltInWorkflowsOutput().workflows;
