import pulumi
import pulumi_vod as vod

# The key is part of an item's identity: another key is another run, which is paid.
files = {"e01": "season-1/e01.mp4", "e02": "season-1/e02.mp4"}

season = vod.WorkflowBatch(
    "season",
    defaults={"template_id": "3d1c5ad0c7f04bbd", "direct_url": {"space_name": "videos"}},
    items={key: {"direct_url": {"file_name": name}} for key, name in files.items()},
)

pulumi.export("runs", season.runs)
pulumi.export("rejected", season.rejected)
