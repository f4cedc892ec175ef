"""The three examples of the service's own page, as a stack."""

import pulumi

from pulumi_vod_workflow import DirectUrlArgs, WorkflowRun

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

# Results are read by a refresh, once a run has ended; until then the lists are empty.
pulumi.export(
    "byVid",
    {
        "runId": by_vid.run_id,
        "phase": by_vid.phase,
        "files": by_vid.transcodes.apply(lambda files: [file.store_uri for file in files]),
    },
)
pulumi.export("byFile", {"runId": by_file.run_id, "phase": by_file.phase})
pulumi.export(
    "snapshotPaths",
    {
        "runId": snapshot_paths.run_id,
        "phase": snapshot_paths.phase,
        "paths": snapshot_paths.snapshots.apply(
            lambda snapshots: [item.poster.store_uri for item in snapshots if item.poster]
        ),
    },
)
