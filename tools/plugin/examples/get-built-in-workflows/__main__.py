import pulumi
import pulumi_vod as vod

pulumi.export("workflows", vod.get_built_in_workflows_output().workflows)
