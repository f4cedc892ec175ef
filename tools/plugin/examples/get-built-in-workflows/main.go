package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"pulumi-vod/vod"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		builtIn, err := vod.GetBuiltInWorkflows(ctx)
		if err != nil {
			return err
		}
		ctx.Export("workflows", pulumi.ToOutput(builtIn.Workflows))
		return nil
	})
}
