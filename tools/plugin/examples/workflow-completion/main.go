package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"pulumi-vod/vod"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		talk, err := vod.NewWorkflowRun(ctx, "talk", &vod.WorkflowRunArgs{
			TemplateId: pulumi.String("3d1c5ad0c7f04bbd"),
			Vid:        pulumi.String("v0d00fg10000c8mmmrbc77ua5uvsgst0"),
		})
		if err != nil {
			return err
		}
		// A wait that fails or is stopped loses nothing: the next `pulumi up` continues it.
		ended, err := vod.NewWorkflowCompletion(ctx, "ended", &vod.WorkflowCompletionArgs{
			Runs:      pulumi.Map{"talk": talk.RunId},
			Timeout:   pulumi.String("45m"),
			OnFailure: vod.OnFailureRecord,
		})
		if err != nil {
			return err
		}
		ctx.Export("files", ended.Results.MapIndex(pulumi.String("talk")).Transcodes())
		ctx.Export("failed", ended.Failed)
		return nil
	})
}
