package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"pulumi-vod/vod"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		found, err := vod.GetRun(ctx, &vod.GetRunArgs{RunId: config.Require(ctx, "runId")})
		if err != nil {
			return err
		}
		ctx.Export("phase", pulumi.String(string(found.Phase)))
		ctx.Export("files", pulumi.ToOutput(found.Transcodes))
		return nil
	})
}
