"""${DESCRIPTION}"""

import pulumi

from pulumi_vod_workflow import WorkflowRun

config = pulumi.Config()

# `pulumi preview` shows each run that `pulumi up` would start, and pay for, as a create or replace.
run = WorkflowRun("video", vid=config.require("vid"), template_id=config.require("templateId"))

# Waits for the run's end, free. Without this line `up` returns at once.
done = run.wait(timeout="2h")
result = done.results["video"]

pulumi.export("runId", run.run_id)
pulumi.export("phase", result.phase)
pulumi.export("files", result.transcodes.apply(lambda files: [file.store_uri for file in files]))
