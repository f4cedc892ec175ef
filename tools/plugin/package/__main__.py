"""Start the packaged provider."""

from pulumi_vod_workflow.plugin.__main__ import main

main()
