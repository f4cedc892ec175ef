"""A run that exists already, started by hand or by a stack that is lost, is taken over."""

import pulumi

from pulumi_vod_workflow import WorkflowRun

# Its RunId, as the VOD console shows it. With it nothing is ever started; without it this is a
# declaration like any other.
existing = pulumi.Config().get("existingRunId")

harbour = WorkflowRun(
    "harbour",
    existing_run_id=existing,
    vid="v0d399g10001csunlgaljhtddi6hgvn0",
    template_id="0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
)

pulumi.export("runId", harbour.run_id)
pulumi.export("startedHere", harbour.submitted_at.apply(lambda moment: moment is not None))
pulumi.export("result", harbour.wait().results["harbour"].phase)
