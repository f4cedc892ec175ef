"""
Plausible results of a finished run, following its request.

File names are expanded as the page's example does: {{fileTitle}}, {{fileName}}, and {{templateId}}
as the workflow's own id (the page shows that id, though the override names a snapshot template).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pulumi_vod_workflow.emulator.contract import SYSTEM_TEMPLATES

SOURCE_SECONDS = 60.0
HEIGHTS = (360, 480, 540, 720, 1080, 240, 144, 1440)


def source_name(start: Mapping[str, Any]) -> str:
    """Return the source's file name; a Vid stands for a file of its own name."""
    direct_url = start.get("DirectUrl")
    return str(direct_url["FileName"] if direct_url else f"{start['Vid']}.mp4")


def space_name(start: Mapping[str, Any]) -> str:
    """Return the space of the source."""
    return str(start.get("DirectUrl", {}).get("SpaceName", "emulated-space"))


def task_count(template_id: str) -> int:
    """Return how many outputs a workflow makes."""
    return SYSTEM_TEMPLATES.get(template_id, 2)


class Outputs:
    """The results of one run."""

    def __init__(self, run_id: str, start: Mapping[str, Any], ended: str) -> None:
        self._run_id = run_id
        self._start = start
        self._ended = ended
        self._overrides = start.get("Input", {}).get("OverrideParams", {})
        name = source_name(start).rpartition("/")[2]
        self._names = {
            "{{fileTitle}}": name.rpartition(".")[0] or name,
            "{{fileName}}": name,
            "{{templateId}}": start["TemplateId"],
        }

    def _uri(self, template: str | None, default: str) -> str:
        path = template or default
        for variable, value in self._names.items():
            path = path.replace(variable, value)
        bucket = self._start.get("DirectUrl", {}).get("BucketName", "tos-cn-v-emulator")
        return f"tos://{bucket}/{path}"

    def _file_id(self, index: int, kind: str) -> str:
        return hashlib.md5(  # noqa: S324 - an id, not a secret
            f"{self._run_id}/{kind}/{index}".encode()
        ).hexdigest()

    def transcodes(self) -> list[dict[str, Any]]:
        """Return TranscodeInfos: one for each of the workflow's or the overrides' outputs."""
        videos = self._overrides.get("TranscodeVideo") or [{}]
        audios = self._overrides.get("TranscodeAudio") or []
        count = max(task_count(self._start["TemplateId"]) - 1, len(videos))
        made = [
            self._transcode("video", index, videos[min(index, len(videos) - 1)])
            for index in range(count)
        ]
        return made + [self._transcode("audio", index, item) for index, item in enumerate(audios)]

    def _transcode(self, kind: str, index: int, override: Mapping[str, Any]) -> dict[str, Any]:
        clip = override.get("Clip", {})
        begin, end = clip.get("StartTime", 0), clip.get("EndTime", 0)
        duration = max(0.0, (end / 1000 if end else SOURCE_SECONDS) - begin / 1000)
        height = HEIGHTS[index % len(HEIGHTS)]
        file_id = self._file_id(index, kind)
        info: dict[str, Any] = {
            "FileId": file_id,
            "Md5": file_id[::-1],
            "FileType": kind,
            "LogoType": "",
            "Encrypt": False,
            "Format": "mp4" if kind == "video" else "m4a",
            "Duration": duration,
            "Size": round(duration * height * 400),
            "StoreUri": self._uri(override.get("FileName"), file_id),
            "CreateTime": self._ended,
            "DynamicRange": "SDR",
            "TosStorageClass": "STANDARD",
            "StorageClassUpdateTime": self._ended,
            "FileExtra": {},
            "AudioStreamMeta": {
                "Codec": "aac",
                "Duration": duration,
                "SampleRate": 44100,
                "Bitrate": 128000,
                "Quality": "normal",
                "Channels": 2,
            },
        }
        if kind == "video":
            info["VideoStreamMeta"] = {
                "Codec": "h264",
                "Height": height,
                "Width": height * 16 // 9,
                "Duration": duration,
                "Definition": f"{height}p",
                "Bitrate": height * 1500,
                "Fps": 25.0,
            }
        return info

    def snapshots(self) -> list[dict[str, Any]]:
        """Return Snapshots: a sample, or what the overrides ask for."""
        overrides = self._overrides.get("Snapshot") or [{}]
        return [self._snapshot(index, item) for index, item in enumerate(overrides)]

    def _snapshot(self, index: int, override: Mapping[str, Any]) -> dict[str, Any]:
        name = override.get("FileName")
        default = self._file_id(index, "snapshot")
        size = {"Width": override.get("Width", 480), "Height": override.get("Height", 270)}
        sampled = {"SampleOffsets", "FileIndex", "Width", "Height"} & set(override)
        if sampled or not override:
            offsets = override.get("SampleOffsets") or [0.0, 10.0, 20.0]
            uri = self._uri(name, default)
            sample = {
                "Format": "jpg",
                "StoreUris": [f"{uri}_{number}" for number in range(len(offsets))],
                **size,
                "Interval": 10.0,
                "CaptureNum": len(offsets),
                "Duration": SOURCE_SECONDS,
                "IndexUri": self._uri(override.get("FileIndex"), f"{default}.index"),
                "Offsets": offsets,
            }
            return {"Type": "Sample", "Sample": sample}
        kind = "Dynpost" if "OffsetTimeList" in override else "Poster"
        picture = {"Format": "jpg", "StoreUri": self._uri(name, default), **size}
        return {"Type": kind, kind: picture}
