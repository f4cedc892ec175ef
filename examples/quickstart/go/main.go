// The three examples of the service's own page, as a stack that waits for their files.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"pulumi-vod/vod"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		// A video by its Vid, with a built-in workflow (six paid outputs).
		byVid, err := vod.NewWorkflowRun(ctx, "by-vid", &vod.WorkflowRunArgs{
			Vid:        pulumi.String("v0d399g10001csunlgaljhtddi6hgvn0"),
			TemplateId: pulumi.String("06853553c4d3402698a17ff5dff87fd7"),
		})
		if err != nil {
			return err
		}

		// A file of a space.
		byFile, err := vod.NewWorkflowRun(ctx, "by-file", &vod.WorkflowRunArgs{
			DirectUrl: &vod.DirectUrlArgs{
				FileName:  pulumi.String("vodtest.mp4"),
				SpaceName: pulumi.String("test-jinling"),
			},
			TemplateId: pulumi.String("c3841b3122fd460db2bc99a6ec131cb8"),
		})
		if err != nil {
			return err
		}

		// Snapshots with a path from this program.
		snapshotPaths, err := vod.NewWorkflowRun(ctx, "snapshot-paths", &vod.WorkflowRunArgs{
			Vid:        pulumi.String("v0d399g10001csunlgaljhtddi6hgvn0"),
			TemplateId: pulumi.String("a378f66a5bc2495eb55fc14ac109625f"),
			Input: &vod.WorkflowParamsArgs{
				OverrideParams: &vod.OverrideParamsArgs{
					Snapshot: vod.SnapshotOverrideArray{
						&vod.SnapshotOverrideArgs{
							TemplateId: pulumi.StringArray{
								pulumi.String("94c8d47c4c39440b8e6b4e0ce7a96776"),
							},
							FileName: pulumi.String("{{fileTitle}}_{{templateId}}"),
						},
					},
				},
			},
		})
		if err != nil {
			return err
		}

		// One wait for all three, which is free.
		done, err := vod.NewWorkflowCompletion(ctx, "done", &vod.WorkflowCompletionArgs{
			Runs: pulumi.Map{
				"byVid":         byVid.RunId,
				"byFile":        byFile.RunId,
				"snapshotPaths": snapshotPaths.RunId,
			},
			Timeout: pulumi.String("10m"),
		})
		if err != nil {
			return err
		}
		result := func(name string) vod.WorkflowResultOutput {
			return done.Results.MapIndex(pulumi.String(name))
		}
		ctx.Export("byVid", result("byVid").Transcodes())
		ctx.Export("byFile", result("byFile").Transcodes())
		ctx.Export("snapshotPaths", result("snapshotPaths").Snapshots())
		return nil
	})
}
