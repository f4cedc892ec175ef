"""What a run has made feeds another run and a resource of another kind, in the same `up`."""

import pulumi
from catalogue import Catalogue

from pulumi_vod_workflow import WorkflowRun

SPACE = "my-space"


# First the master is transcoded, by a workflow of one rendition ...
master = WorkflowRun(
    "master",
    direct_url={"file_name": "films/harbour.mov", "space_name": SPACE},
    template_id="0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
    input={
        "override_params": {
            "transcode_video": [{"template_id": ["All"], "file_name": "web/{{fileTitle}}"}]
        }
    },
)
files = master.wait(timeout="2h").results["master"].transcodes

# ... then posters are taken from what came out: a second paid run, of the first one's result ...
posters = WorkflowRun(
    "posters",
    direct_url={"file_name": files[0].file_name, "space_name": SPACE},
    template_id="a378f66a5bc2495eb55fc14ac109625f",
    input={
        "override_params": {
            "snapshot": [{"template_id": ["All"], "file_name": "posters/{{fileTitle}}"}]
        }
    },
    # The path stays the same when the master is run again; what is there does not.
    triggers={"master": master.run_id},
)

# ... and a resource that starts nothing publishes the list.
uris = files.apply(lambda transcodes: [transcode.store_uri for transcode in transcodes])
catalogue = Catalogue("catalogue", path="catalogue.json", entries={"harbour": uris})

pulumi.export("postersFrom", posters.direct_url["fileName"])
pulumi.export("catalogue", catalogue.entries)
