"""Where requests go: the service, a stand-in on this machine, or the embedded emulator."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from pulumi_vod_workflow.config.credentials import Get

EMULATOR: Final = "emulator"
"""The endpoint that names the embedded emulator."""

DEFAULT_REGION: Final = "cn-north-1"

KNOWN_REGIONS: Final = frozenset({"cn-north-1", "ap-southeast-1"})


def is_loopback(host: str | None) -> bool:
    """Tell whether `host` is this machine, by its name or number."""
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return (host or "").lower() == "localhost"


@dataclass(frozen=True, slots=True)
class ServiceEndpoint:
    """Where runs are: a URL or `emulator`, and the region of the signatures."""

    endpoint: str
    """A bare URL in one spelling, or `emulator`."""
    region: str
    """Of the signatures; by default `cn-north-1`."""
    named_by: str = field(default="", compare=False)
    """The setting that leads there, for advice; empty for the service that is used by default."""

    @property
    def is_local(self) -> bool:
        """Whether this is the embedded emulator or something on this machine."""
        return self.endpoint == EMULATOR or is_loopback(urlsplit(self.endpoint).hostname)

    @property
    def service(self) -> str | None:
        """The endpoint, if it is the real service's."""
        return None if self.is_local else self.endpoint


def endpoint_of_run(recorded: Mapping[str, object], configured: ServiceEndpoint) -> ServiceEndpoint:
    """Return where a recorded run is; the emulator is wherever it is configured now."""
    if recorded.get("emulated") is True and configured.is_local:
        return configured
    endpoint = str(recorded.get("endpoint") or configured.endpoint)
    here = endpoint == configured.endpoint
    return ServiceEndpoint(
        endpoint,
        region=str(recorded.get("region") or configured.region),
        named_by=configured.named_by if here else "the endpoint that the state has of the run",
    )


def _region(
    setting: Get,
    environ: Mapping[str, str],
    endpoint: str | None,
    profile_region: str | None,
    problems: list[str],
) -> tuple[str, str]:
    """Return the region, and what names it; by default nothing does."""
    inherited = {
        "volcengine:region": setting("volcengine:region"),
        "VOLCENGINE_REGION": environ.get("VOLCENGINE_REGION", "").strip(),
        "the region of the credentials' profile": profile_region,
    }
    if endpoint == EMULATOR:  # what a machine is set up for never matters there
        inherited = {}
    for name, value in {"vod:region": setting("vod:region"), **inherited}.items():
        if not value:
            continue
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
            problems.append(f"{name}: must look like cn-north-1")
        elif endpoint is None and value not in KNOWN_REGIONS:
            problems.append(
                f"{name} is {value}, where VOD is not known to be served: set vod:region to "
                f"{' or '.join(sorted(KNOWN_REGIONS, reverse=True))}, or give the region's URL as "
                "vod:endpoint, too"
            )
        return value, name
    return DEFAULT_REGION, ""


def _url(endpoint: str, problems: list[str]) -> str:
    """Return the URL in one spelling: runs remember it."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # an impossible port or address
        parts, host, port = urlsplit(""), "", None
    shown = f"[{host}]" if ":" in host else host
    if parts.scheme not in {"http", "https"} or not re.fullmatch(r"[a-z0-9._-]+|\[.+\]", shown):
        problems.append("vod:endpoint: must be a URL such as https://host, or emulator")
    elif "@" in parts.netloc or parts.path not in {"", "/"} or parts.query or parts.fragment:
        problems.append("vod:endpoint: must be a bare URL: no user, path, query or fragment")
    elif parts.scheme == "http" and not is_loopback(host):
        problems.append("vod:endpoint: must be https; plain http only to this machine (loopback)")
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{shown}" + ("" if port in {None, usual} else f":{port}")
