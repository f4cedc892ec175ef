"""
A deployment as a program: it counts the starts of a preview, and goes on only if they are few.

    python deploy.py VID... [--max-starts N]
    python deploy.py --destroy
"""

import argparse
import sys

import pulumi
from pulumi import automation as auto

from pulumi_vod_workflow import WorkflowCompletion, WorkflowRun

RUN = "pulumi-python:dynamic/vod:WorkflowRun"
STARTS = {auto.OpType.CREATE, auto.OpType.CREATE_REPLACEMENT}


def declare(vids: list[str]) -> None:
    """Declare a run for each video, and the wait for all."""
    runs = {
        vid: WorkflowRun(vid, vid=vid, template_id="0f3a1c5e7b9d4f6082a4c6e8091b3d5f")
        for vid in vids
    }
    done = WorkflowCompletion("done", runs=runs, timeout="2h", on_failure="record")
    pulumi.export("failed", done.failed)
    pulumi.export(
        "phases", done.results.apply(lambda results: {k: v.phase for k, v in results.items()})
    )


def count_starts(stack: auto.Stack) -> int:
    """Preview, which is free, and count the runs that `up` would start."""
    starts: list[str] = []

    def see(event: auto.EngineEvent) -> None:
        step = event.resource_pre_event
        if step and step.metadata.type == RUN and step.metadata.op in STARTS:
            starts.append(step.metadata.urn)

    stack.preview(on_event=see)
    return len(starts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a workflow on videos, each once.")
    parser.add_argument("vids", nargs="*", metavar="VID")
    parser.add_argument("--max-starts", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--destroy", action="store_true", help="remove all runs; they keep running")
    asked = parser.parse_args()

    # Where the state is, PULUMI_BACKEND_URL says: a `file://` folder serves well.
    stack = auto.create_or_select_stack(
        "dev", project_name="vod-automation", program=lambda: declare(asked.vids)
    )
    # Without this line, and with the key pair set, it is the real, paid service.
    stack.set_config("vod:endpoint", auto.ConfigValue("emulator"))
    if asked.destroy:
        stack.destroy()
        return

    starts = count_starts(stack)
    print(f"to start: {starts}")
    if starts > asked.max_starts:
        sys.exit(f"more than {asked.max_starts}: nothing was started; raise --max-starts")
    done = stack.up()
    for vid, phase in sorted(done.outputs["phases"].value.items()):
        print(f"{vid}: {phase}")


if __name__ == "__main__":
    main()
