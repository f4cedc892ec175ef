package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"pulumi-vod/vod"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		// The key is part of an item's identity: another key is another run, which is paid.
		files := map[string]string{"e01": "season-1/e01.mp4", "e02": "season-1/e02.mp4"}
		items := vod.WorkflowItemMap{}
		for key, file := range files {
			items[key] = &vod.WorkflowItemArgs{
				DirectUrl: &vod.DirectUrlArgs{FileName: pulumi.String(file)},
			}
		}
		season, err := vod.NewWorkflowBatch(ctx, "season", &vod.WorkflowBatchArgs{
			Defaults: &vod.WorkflowDefaultsArgs{
				TemplateId: pulumi.String("3d1c5ad0c7f04bbd"),
				DirectUrl:  &vod.DirectUrlDefaultsArgs{SpaceName: pulumi.String("videos")},
			},
			Items: items,
		})
		if err != nil {
			return err
		}
		ctx.Export("runs", season.Runs)
		ctx.Export("rejected", season.Rejected)
		return nil
	})
}
