"""One program for both stacks; what differs is in Pulumi.dev.yaml and Pulumi.prod.yaml."""

import pulumi
from library import VideoLibrary

config = pulumi.Config()
library = VideoLibrary(
    "library",
    videos=config.require_object("videos"),
    workflow=config.require("workflow"),
    opts=pulumi.ResourceOptions(protect=config.get_bool("protect")),
)

pulumi.export("renditions", library.renditions)
