// What the official Go SDK makes of emulators, `host=access_key=secret_key`: a line of each.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/volcengine/volc-sdk-golang/service/vod"
	"github.com/volcengine/volc-sdk-golang/service/vod/models/business"
	"github.com/volcengine/volc-sdk-golang/service/vod/models/request"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func used(host, accessKey, secretKey string) (answer map[string]interface{}) {
	defer func() {
		if err := recover(); err != nil {
			answer = map[string]interface{}{"error": fmt.Sprint(err)}
		}
	}()
	sdk := vod.NewInstance()
	sdk.SetScheme("http")
	sdk.SetHost(host)
	sdk.SetAccessKey(accessKey)
	sdk.SetSecretKey(secretKey)

	started, _, err := sdk.StartWorkflow(&request.VodStartWorkflowRequest{
		Vid:               "v 1+中",
		TemplateId:        "t",
		CallbackArgs:      "a b&c",
		EnableLowPriority: true,
		Input: &business.WorkflowParams{OverrideParams: &business.OverrideParams{
			Snapshot: []*business.SnapshotOverride{{
				TemplateId: []string{"s"}, FileName: "{{fileTitle}} x", SampleOffsets: []float32{1},
			}},
		}},
	})
	check(err)
	runId := started.GetResult().GetRunId()
	told, _, err := sdk.GetWorkflowExecution(&request.VodGetWorkflowExecutionStatusRequest{
		RunId: runId, NeedTasksDetail: "true",
	})
	check(err)
	made, _, err := sdk.GetWorkflowExecutionResult(&request.VodGetWorkflowResultRequest{RunId: runId})
	check(err)
	snapshots := []string{}
	for _, snapshot := range made.GetResult().GetSnapshots() {
		snapshots = append(snapshots, snapshot.GetType())
	}
	template, _, err := sdk.GetWorkflowTemplate(&request.VodGetWorkflowTemplateRequest{TemplateId: "t"})
	check(err)
	listed, _, err := sdk.ListWorkflowTemplate(&request.VodListWorkflowTemplateRequest{Limit: 2})
	check(err)
	videos, _, err := sdk.GetMediaInfos(&request.VodGetMediaInfosRequest{Vids: "v,emu-missing"})
	check(err)
	return map[string]interface{}{
		"runId":        runId,
		"status":       told.GetResult().GetStatus(),
		"callbackArgs": told.GetResult().GetCallbackArgs(),
		"tasks":        len(told.GetResult().GetTasksDetail()),
		"ended":        made.GetResult().GetStatus(),
		"videos":       len(made.GetResult().GetTranscodeInfos()),
		"codec":        made.GetResult().GetTranscodeInfos()[0].GetVideoStreamMeta().GetCodec(),
		"snapshots":    snapshots,
		"template":     template.GetResult().GetWorkflowTemplate().GetTemplateId(),
		"total":        listed.GetResult().GetTotal(),
		"listed":       len(listed.GetResult().GetData()),
		"video":        videos.GetResult().GetMediaInfoList()[0].GetBasicInfo().GetVid(),
		"missing":      videos.GetResult().GetNotExistVids(),
	}
}

func main() {
	for _, target := range os.Args[1:] {
		parts := strings.Split(target, "=")
		line, err := json.Marshal(used(parts[0], parts[1], parts[2]))
		check(err)
		fmt.Println(string(line))
	}
}
