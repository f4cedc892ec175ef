import pulumi
import pulumi_vod as vod

talk = vod.WorkflowRun(
    "talk",
    template_id="3d1c5ad0c7f04bbd",
    direct_url={"space_name": "videos", "file_name": "talks/opening.mp4"},
    input={
        "override_params": {
            "transcode_video": [
                {"template_id": ["All"], "clip": {"start_time": 0, "end_time": 60000}}
            ]
        }
    },
    # Another value starts a run, which is paid.
    triggers={"edition": 1},
)

pulumi.export("runId", talk.run_id)
pulumi.export("phase", talk.phase)
