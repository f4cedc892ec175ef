"""A published video: what a team declares instead of runs."""

from pulumi import ComponentResource, Output, ResourceOptions

from pulumi_vod_workflow import WorkflowCompletion, WorkflowRun


class PublishedVideo(ComponentResource):
    """
    A video as viewers get it: renditions and posters. Creating one costs two runs.

    Args:
        name: of the component; its runs are named after it.
        vid: the source.
        renditions: id of the workflow that transcodes.
        posters: id of the workflow that takes snapshots.
        opts: Pulumi's options.

    """

    files: Output[list[str]]
    """Where the renditions are."""
    poster: Output[str]
    """Where the first poster is."""

    def __init__(
        self,
        name: str,
        *,
        vid: str,
        renditions: str,
        posters: str,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("examples:video:PublishedVideo", name, None, opts)
        child = ResourceOptions(parent=self)
        runs = {
            "renditions": WorkflowRun(
                f"{name}-renditions",
                child,
                vid=vid,
                template_id=renditions,
                input={
                    "override_params": {
                        "transcode_video": [
                            {"template_id": ["All"], "file_name": name + "/{{templateId}}"}
                        ]
                    }
                },
            ),
            "posters": WorkflowRun(
                f"{name}-posters",
                child,
                vid=vid,
                template_id=posters,
                input={
                    "override_params": {
                        "snapshot": [
                            {
                                "template_id": ["All"],
                                "offset_time": 5_000,
                                "file_name": f"{name}/poster",
                            }
                        ]
                    }
                },
            ),
        }
        # One wait for both; it is this component that is published only when both are there.
        done = WorkflowCompletion(f"{name}-published", child, runs=runs, timeout="2h")
        self.files = done.results["renditions"].transcodes.apply(
            lambda files: [file.store_uri for file in files]
        )
        self.poster = done.results["posters"].snapshots.apply(
            lambda snapshots: next(item.poster.store_uri for item in snapshots if item.poster)
        )
        self.register_outputs({"files": self.files, "poster": self.poster})
