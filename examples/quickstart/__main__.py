"""The three examples of the service's own page, as a stack that waits for their files."""

import pulumi

from pulumi_vod_workflow import DirectUrlArgs, WorkflowCompletion, WorkflowRun

# A video by its Vid, with a built-in workflow (six paid outputs).
by_vid = WorkflowRun(
    "by-vid",
    vid="v0d399g10001csunlgaljhtddi6hgvn0",
    template_id="06853553c4d3402698a17ff5dff87fd7",
)

# A file of a space.
by_file = WorkflowRun(
    "by-file",
    direct_url=DirectUrlArgs(file_name="vodtest.mp4", space_name="test-jinling"),
    template_id="c3841b3122fd460db2bc99a6ec131cb8",
)

# Snapshots whose path is decided here; plain dictionaries work too.
snapshot_paths = WorkflowRun(
    "snapshot-paths",
    vid="v0d399g10001csunlgaljhtddi6hgvn0",
    template_id="a378f66a5bc2495eb55fc14ac109625f",
    input={
        "override_params": {
            "snapshot": [
                {
                    "template_id": ["94c8d47c4c39440b8e6b4e0ce7a96776"],
                    "file_name": "{{fileTitle}}_{{templateId}}",
                }
            ]
        }
    },
)

# One wait for all three, which is free; `by_vid.wait()` would be one for that run alone.
done = WorkflowCompletion("done", runs=[by_vid, by_file, snapshot_paths], timeout="10m")


def videos(name: str) -> pulumi.Output[list[str]]:
    """Return where the output files of a run are stored."""
    return done.results[name].transcodes.apply(lambda files: [file.store_uri for file in files])


pulumi.export("byVid", videos("by-vid"))
pulumi.export("byFile", videos("by-file"))
pulumi.export(
    "snapshotPaths",
    done.results["snapshot-paths"].snapshots.apply(
        lambda snapshots: [item.poster.store_uri for item in snapshots if item.poster]
    ),
)
