"""A folder of videos, listed in manifests: one batch starts them, one wait has their results."""

import pulumi

from pulumi_vod_workflow import WorkflowBatch, load_manifest

# A table for people, JSON Lines for programs; both give items by key.
episodes = load_manifest("episodes.csv")
extras = load_manifest("extras.jsonl")

season = WorkflowBatch(
    "season",
    items={**episodes, **extras},
    defaults={
        "template_id": "06853553c4d3402698a17ff5dff87fd7",  # built-in: six outputs of each video
        "direct_url": {"space_name": "my-space"},  # merged with each item's file_name
    },
)

# `record`: one bad video does not hold up the results of the others.
done = season.wait(timeout="6h", on_failure="record")
pulumi.export("failed", done.failed)
pulumi.export(
    "renditions",
    done.results.apply(
        lambda results: {key: len(result.transcodes) for key, result in results.items()}
    ),
)
