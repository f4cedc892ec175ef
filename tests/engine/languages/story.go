// A program of the Automation API: a run with a secret, a batch, and the wait for it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"pulumi-vod/vod"
)

func program(ctx *pulumi.Context) error {
	run, err := vod.NewWorkflowRun(ctx, "run", &vod.WorkflowRunArgs{
		Vid:        pulumi.ToSecret(pulumi.String("s3cr3t-vid")).(pulumi.StringOutput),
		TemplateId: pulumi.String("t1"),
		Triggers:   pulumi.Map{"edition": pulumi.Int(1), "half": pulumi.Float64(0.5)},
	})
	if err != nil {
		return err
	}
	batch, err := vod.NewWorkflowBatch(ctx, "batch", &vod.WorkflowBatchArgs{
		Items: vod.WorkflowItemMap{
			"e1": &vod.WorkflowItemArgs{Vid: pulumi.String("v1")},
			"e2": &vod.WorkflowItemArgs{Vid: pulumi.String("v2"), Priority: pulumi.Int(2)},
		},
		Defaults: &vod.WorkflowDefaultsArgs{TemplateId: pulumi.String("t2")},
	})
	if err != nil {
		return err
	}
	runs := pulumi.Map{}
	for _, key := range []string{"e1", "e2"} {
		runs[key] = batch.Runs.MapIndex(pulumi.String(key)).RunId()
	}
	done, err := vod.NewWorkflowCompletion(ctx, "done", &vod.WorkflowCompletionArgs{
		Runs: runs, Timeout: pulumi.String("5m"),
	})
	if err != nil {
		return err
	}
	found := vod.GetRunOutput(ctx, vod.GetRunOutputArgs{
		RunId: batch.Runs.MapIndex(pulumi.String("e1")).RunId(),
	})
	phases := pulumi.Array{}
	for _, key := range []string{"e1", "e2"} {
		phases = append(phases, done.Results.MapIndex(pulumi.String(key)).Phase())
	}
	ctx.Export("runId", run.RunId)
	ctx.Export("endpoint", run.Endpoint)
	ctx.Export("phases", phases)
	ctx.Export("templateId", found.TemplateId())
	return nil
}

func story(ctx context.Context) error {
	stack, err := auto.UpsertStackInlineSource(ctx, "test", "languages", program)
	if err != nil {
		return err
	}
	var config map[string]string
	if err := json.Unmarshal([]byte(os.Getenv("STORY_CONFIG")), &config); err != nil {
		return err
	}
	for key, value := range config {
		if err := stack.SetConfig(ctx, key, auto.ConfigValue{Value: value}); err != nil {
			return err
		}
	}
	preview, err := stack.Preview(ctx)
	if err != nil {
		return err
	}
	first, err := stack.Up(ctx)
	if err != nil {
		return err
	}
	second, err := stack.Up(ctx)
	if err != nil {
		return err
	}
	if _, err := stack.Destroy(ctx); err != nil {
		return err
	}
	outputs := map[string]any{}
	for name, output := range first.Outputs {
		outputs[name] = output.Value
	}
	told, err := json.Marshal(map[string]any{
		"outputs": outputs,
		"changes": []any{preview.ChangeSummary, *second.Summary.ResourceChanges},
	})
	if err != nil {
		return err
	}
	fmt.Println(string(told))
	return nil
}

func main() {
	if err := story(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
