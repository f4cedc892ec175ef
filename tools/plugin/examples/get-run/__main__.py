import pulumi
import pulumi_vod as vod

found = vod.get_run_output(run_id=pulumi.Config().require("runId"))

pulumi.export("phase", found.phase)
pulumi.export("files", found.transcodes)
