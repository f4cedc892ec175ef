import pulumi
import pulumi_vod as vod

talk = vod.WorkflowRun(
    "talk", template_id="3d1c5ad0c7f04bbd", vid="v0d00fg10000c8mmmrbc77ua5uvsgst0"
)

# A wait that fails or is stopped loses nothing: the next `pulumi up` continues it.
ended = vod.WorkflowCompletion(
    "ended", runs={"talk": talk.run_id}, timeout="45m", on_failure=vod.OnFailure.RECORD
)

pulumi.export("files", ended.results.apply(lambda results: results["talk"].transcodes))
pulumi.export("failed", ended.failed)
