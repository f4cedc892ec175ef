"""What both stacks are made of."""

from collections.abc import Mapping

from pulumi import ComponentResource, Output, ResourceOptions

from pulumi_vod_workflow import WorkflowCompletion, WorkflowRun


class VideoLibrary(ComponentResource):
    """
    Videos that have all gone through one workflow. Each costs a run.

    Args:
        name: of the component.
        videos: title -> Vid; titles name the runs.
        workflow: id of the workflow.
        opts: Pulumi's options; `protect` holds for the runs, too.

    """

    renditions: Output[dict[str, int]]
    """How many files there are, by title."""

    def __init__(
        self,
        name: str,
        *,
        videos: Mapping[str, str],
        workflow: str,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("examples:video:VideoLibrary", name, None, opts)
        child = ResourceOptions(parent=self)
        runs = {
            title: WorkflowRun(title, child, vid=vid, template_id=workflow)
            for title, vid in videos.items()
        }
        done = WorkflowCompletion(f"{name}-ready", child, runs=runs, timeout="2h")
        self.renditions = done.results.apply(
            lambda results: {title: len(result.transcodes) for title, result in results.items()}
        )
        self.register_outputs({"renditions": self.renditions})
