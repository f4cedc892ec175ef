"""Every kind of override in one start: each names the template whose settings it replaces."""

import pulumi

from pulumi_vod_workflow import (
    ClipArgs,
    DirectUrlArgs,
    LogoOverrideArgs,
    OverrideParamsArgs,
    SnapshotOverrideArgs,
    TranscodeAudioOverrideArgs,
    TranscodeVideoOverrideArgs,
    WorkflowParamsArgs,
    WorkflowRun,
)

# The workflow, and the templates it applies, as the VOD console shows them.
WORKFLOW = "0f3a1c5e7b9d4f6082a4c6e8091b3d5f"
WATERMARK = "1091058d3f5a7c9eb1d3f5a76b8f408c"
VIDEO = "2a4c6e8091b3d5f70f3a1c5e7b9d4f60"
AUDIO = "3b5d7f91a2c4e6f81a4b2d6f8c0e5a71"
POSTER = "4c6e80a2b3d5f7092b5c3e7a9d1f6b82"
SAMPLES = "5d7f91b3c4e6081a3c6d4f8bae207c93"

overrides = OverrideParamsArgs(
    # The watermark's text, which its template leaves open.
    logo=[LogoOverrideArgs(template_id=WATERMARK, vars={"keyword": "Preview"})],
    # From 10 s to 40 s of the source only, with the watermark, at a path of our own.
    transcode_video=[
        TranscodeVideoOverrideArgs(
            template_id=[VIDEO],
            clip=ClipArgs(start_time=10_000, end_time=40_000),
            logo_template_id=WATERMARK,
            file_name="trailers/{{fileTitle}}",
        )
    ],
    # The first 15 s as sound alone.
    transcode_audio=[
        TranscodeAudioOverrideArgs(
            template_id=[AUDIO],
            clip=ClipArgs(end_time=15_000),
            file_name="trailers/{{fileTitle}}-sound",
        )
    ],
    # A poster taken at 12 s (milliseconds), and samples at three places (seconds).
    snapshot=[
        SnapshotOverrideArgs(
            template_id=[POSTER], offset_time=12_000, file_name="posters/{{fileTitle}}"
        ),
        SnapshotOverrideArgs(
            template_id=[SAMPLES],
            sample_offsets=[1, 12.5, 30],
            file_name="samples/{{fileTitle}}",
            file_index="samples/{{fileTitle}}.json",
            width=640,
            height=0,  # scaled
        ),
    ],
)

trailer = WorkflowRun(
    "trailer",
    direct_url=DirectUrlArgs(file_name="films/harbour.mp4", space_name="my-space"),
    template_id=WORKFLOW,
    input=WorkflowParamsArgs(override_params=overrides),
)

result = trailer.wait(timeout="1h").results["trailer"]
pulumi.export(
    "files",
    result.transcodes.apply(
        lambda files: {file.store_uri: f"{file.file_type}, {file.duration} s" for file in files}
    ),
)
pulumi.export(
    "posters",
    result.snapshots.apply(
        lambda snapshots: [item.poster.store_uri for item in snapshots if item.poster]
    ),
)
pulumi.export(
    "samples",
    result.snapshots.apply(
        lambda snapshots: next(item.sample.store_uris for item in snapshots if item.sample)
    ),
)
