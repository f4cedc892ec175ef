"""
Plausible results of a terminal run, derived from its request.

The emulator does not know the templates of a workflow. So each workflow has its usual number of
videos and snapshots. Each template that an override names is one output, the first of them. An
override of `All` applies to all remaining outputs.

Paths are expanded as in the page's example: {{fileTitle}}, {{fileName}} and {{templateId}}. The
last is the workflow's id, because the page shows that id for an override of a snapshot template.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

DEFAULT_SOURCE_SECONDS: Final = 60.0
SOURCE_SIZE: Final = (1920, 1080)
HEIGHTS: Final = (360, 480, 540, 720, 1080, 240, 144, 1440)
_OUTCOME_IN_NAME: Final = re.compile(
    r"\bemu-(?:(missing)|(terminated)|(unknown-status)|fail-([12][0-9]{3}))\b", re.ASCII
)

_SECONDS_IN_NAME: Final = re.compile(r"\bemu-seconds-([0-9]{1,6}(?:\.[0-9]{1,3})?)\b", re.ASCII)

Override = Mapping[str, Any]


def source_name(start: Mapping[str, Any]) -> str:
    """Return the source's file name; the file of a Vid has the name of the Vid."""
    direct_url = start.get("DirectUrl")
    return str(direct_url["FileName"] if direct_url else f"{start['Vid']}.mp4")


def outcome_from_name(source: str) -> str | None:
    """Return the outcome in a source's name: `missing`, or the status at the end of the run."""
    found = _OUTCOME_IN_NAME.search(source)
    if not found:
        return None
    missing, terminated, unknown, code = found.groups()
    return missing or (terminated and "Terminated") or (unknown and "Paused") or code


def source_seconds(source: str) -> float:
    """Return a source's duration: the one in its name, as `emu-seconds-90.5`, or a minute."""
    found = _SECONDS_IN_NAME.search(source)
    return float(found[1]) if found else DEFAULT_SOURCE_SECONDS


def _output_slots(overrides: Sequence[Override], usual: int) -> list[tuple[str | None, Override]]:
    """Return the template and the override of each output; `None` is the workflow's template."""
    named = [
        (template, override)
        for override in overrides
        for template in override["TemplateId"]
        if template != "All"
    ]
    default = next((override for override in overrides if "All" in override["TemplateId"]), None)
    count = max(usual, 1 if default else 0)
    return [*named, *[(None, default or {})] * (count - len(named))]


class Outputs:
    """The tasks and results of one run."""

    def __init__(
        self, run_id: str, start: Mapping[str, Any], ended: str, usual: Mapping[str, int]
    ) -> None:
        self._run_id = run_id
        self._start = start
        self._ended = ended
        overrides = start.get("Input", {}).get("OverrideParams", {})
        enhance = overrides.get("Enhance") or {}
        self._videos = _output_slots(overrides.get("TranscodeVideo", []), usual["transcodes"])
        if enhance.get("FileName"):
            self._videos.append((None, enhance))
        self._audios = _output_slots(overrides.get("TranscodeAudio", []), 0)
        self._snapshots = _output_slots(overrides.get("Snapshot", []), usual["snapshots"])
        self._seconds = source_seconds(source_name(start))
        name = source_name(start).rpartition("/")[2]
        self._names = {
            "fileTitle": name.rpartition(".")[0] or name,
            "fileName": name,
            "templateId": start["TemplateId"],
        }
        self._paths: set[str] = set()

    def tasks(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the template of each task, one for each output."""
        kinds = {"video": self._videos, "audio": self._audios, "snapshot": self._snapshots}
        for kind, slots in kinds.items():
            for number, (template, _) in enumerate(slots, 1):
                yield f"{kind}-{number}", template or self._start["TemplateId"]

    def _uri(self, template: str | None, default: str) -> str:
        """Expand a path; a path that another output has gets a number."""
        path = re.sub(
            r"\{\{(fileTitle|fileName|templateId)\}\}",
            lambda found: str(self._names[found[1]]),
            template or default,
        )
        distinct, number = path, 2
        while distinct in self._paths:
            distinct, number = f"{path}_{number}", number + 1
        self._paths.add(distinct)
        bucket = self._start.get("DirectUrl", {}).get("BucketName", "tos-cn-v-emulator")
        return f"tos://{bucket}/{distinct}"

    def _file_id(self, index: int, kind: str) -> str:
        return hashlib.md5(  # noqa: S324 - an id, not a secret
            f"{self._run_id}/{kind}/{index}".encode()
        ).hexdigest()

    def transcodes(self) -> list[dict[str, Any]]:
        """Return the TranscodeInfos."""
        kinds = {"video": self._videos, "audio": self._audios}
        return [
            self._transcode(kind, index, override)
            for kind, slots in kinds.items()
            for index, (_, override) in enumerate(slots)
        ]

    def _transcode(self, kind: str, index: int, override: Override) -> dict[str, Any]:
        clip = override.get("Clip", {})
        begin, end = clip.get("StartTime", 0) / 1000, clip.get("EndTime", 0) / 1000
        duration = max(0.0, min(end or self._seconds, self._seconds) - begin)
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
        """Return the Snapshots: a sample, or those of the overrides."""
        return [self._snapshot(index, item) for index, (_, item) in enumerate(self._snapshots)]

    def _snapshot(self, index: int, override: Override) -> dict[str, Any]:
        default = self._file_id(index, "snapshot")
        size = dict(zip(("Width", "Height"), _pixel_size(override), strict=True))
        uri = self._uri(override.get("FileName"), default)
        given = {key for key, value in override.items() if value}  # the Java SDK sends 0 for absent
        if {"SampleOffsets", "FileIndex", "Width", "Height"} & given or not override:
            offsets = override.get("SampleOffsets") or [0.0, 10.0, 20.0]
            sample = {
                "Format": "jpg",
                "StoreUris": [f"{uri}_{number}" for number in range(len(offsets))],
                **size,
                "Interval": 10.0,
                "CaptureNum": len(offsets),
                "Duration": self._seconds,
                "IndexUri": self._uri(override.get("FileIndex"), f"{default}.index"),
                "Offsets": offsets,
            }
            return {"Type": "Sample", "Sample": sample}
        kind = "Dynpost" if "OffsetTimeList" in given else "Poster"
        return {"Type": kind, kind: {"Format": "jpg", "StoreUri": uri, **size}}


def _pixel_size(override: Override) -> tuple[int, int]:
    """Return width and height in pixels (page): absent: the template's; 0: scaled; both 0: kept."""
    width, height = override.get("Width", 480), override.get("Height", 270)
    across, down = SOURCE_SIZE
    if not width and not height:
        return SOURCE_SIZE
    return width or round(height * across / down), height or round(width * down / across)
