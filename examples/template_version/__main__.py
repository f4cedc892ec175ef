"""A template is edited in the VOD console; its version, kept in the configuration, says when."""

import pulumi

from pulumi_vod_workflow import WorkflowRun

# The service does not tell a run that its template has changed since. So the version is ours to
# keep: the CommitId that GetWorkflowTemplate answers, or a number that is raised with each edit.
version = pulumi.Config().require("templateVersion")

runs = {
    name: WorkflowRun(
        name,
        vid=vid,
        template_id="0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
        triggers={"templateVersion": version},
    )
    for name, vid in {"harbour": "v0d399g10001", "lighthouse": "v0d399g10002"}.items()
}

# The token is derived from the triggers, too: another version, another token, another run.
pulumi.export("madeWith", {name: run.triggers["templateVersion"] for name, run in runs.items()})
