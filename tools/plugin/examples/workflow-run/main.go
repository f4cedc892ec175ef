package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"pulumi-vod/vod"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		talk, err := vod.NewWorkflowRun(ctx, "talk", &vod.WorkflowRunArgs{
			TemplateId: pulumi.String("3d1c5ad0c7f04bbd"),
			DirectUrl: &vod.DirectUrlArgs{
				SpaceName: pulumi.String("videos"),
				FileName:  pulumi.String("talks/opening.mp4"),
			},
			Input: &vod.WorkflowParamsArgs{
				OverrideParams: &vod.OverrideParamsArgs{
					TranscodeVideo: vod.TranscodeVideoOverrideArray{
						&vod.TranscodeVideoOverrideArgs{
							TemplateId: pulumi.StringArray{pulumi.String("All")},
							Clip:       &vod.ClipArgs{StartTime: pulumi.Int(0), EndTime: pulumi.Int(60000)},
						},
					},
				},
			},
			// Another value starts a run, which is paid.
			Triggers: pulumi.Map{"edition": pulumi.Int(1)},
		})
		if err != nil {
			return err
		}
		ctx.Export("runId", talk.RunId)
		ctx.Export("phase", talk.Phase)
		return nil
	})
}
