"""Two videos, published: each is a component of two runs and one wait."""

import pulumi
from published_video import PublishedVideo

VIDEOS = {"harbour": "v0d399g10001", "lighthouse": "v0d399g10002"}

videos = {
    name: PublishedVideo(
        name,
        vid=vid,
        renditions="0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
        posters="a378f66a5bc2495eb55fc14ac109625f",
    )
    for name, vid in VIDEOS.items()
}

pulumi.export("files", {name: video.files for name, video in videos.items()})
pulumi.export("posters", {name: video.poster for name, video in videos.items()})
