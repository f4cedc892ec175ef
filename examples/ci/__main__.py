"""The videos of a repository; a pull request that adds one shows what that costs."""

import pulumi

from pulumi_vod_workflow import WorkflowRun

VIDEOS = {
    "harbour": "v0d399g10001csunlgaljhtddi6hgvn0",
    "lighthouse": "v0d399g10001csunlgaljhtddi6hgvn1",
}

runs = {
    title: WorkflowRun(title, vid=vid, template_id="06853553c4d3402698a17ff5dff87fd7")
    for title, vid in VIDEOS.items()
}

pulumi.export("phases", {title: run.phase for title, run in runs.items()})
