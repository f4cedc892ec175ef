"""The endpoint of requests: the service, a server on this machine, or the embedded emulator."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from pulumi_vod_workflow.config.credentials import ConfigGetter

EMULATOR: Final = "emulator"
"""The value of `vod:endpoint` for the embedded emulator."""

DEFAULT_REGION: Final = "cn-north-1"
"""The region without a setting."""

# vod-api-facts 7: the documented regions of VOD.
KNOWN_REGIONS: Final = frozenset({"cn-north-1", "ap-southeast-1"})
"""The regions with a known endpoint."""


def is_loopback(host: str | None) -> bool:
    """Return whether `host` is a name or address of this machine."""
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return (host or "").lower() == "localhost"


@dataclass(frozen=True, slots=True)
class ServiceEndpoint:
    """An endpoint: a URL or `emulator`, and the region of the signatures."""

    endpoint: str
    """A bare URL in one spelling, or `emulator`."""
    region: str
    """The region of the signatures, by default `cn-north-1`."""
    setting_name: str = field(default="", compare=False)
    """The setting with the endpoint, for hints; empty for the default service."""

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is the embedded emulator or another server on this machine."""
        return self.endpoint == EMULATOR or is_loopback(urlsplit(self.endpoint).hostname)

    @property
    def service(self) -> str | None:
        """The endpoint of the real service; `None` if it is local."""
        return None if self.is_local else self.endpoint


def endpoint_of_run(recorded: Mapping[str, object], configured: ServiceEndpoint) -> ServiceEndpoint:
    """Return the endpoint of a recorded run; an emulated run is at the configured emulator."""
    # An emulator's port or file may change between two updates.
    if recorded.get("emulated") is True and configured.is_local:
        return configured
    endpoint = str(recorded.get("endpoint") or configured.endpoint)
    here = endpoint == configured.endpoint
    return ServiceEndpoint(
        endpoint,
        region=str(recorded.get("region") or configured.region),
        setting_name=configured.setting_name
        if here
        else "the endpoint that the state has of the run",
    )


def resolve_region(
    setting: ConfigGetter,
    environ: Mapping[str, str],
    endpoint: str | None,
    profile_region: str | None,
    problems: list[str],
) -> tuple[str, str]:
    """Return the region, and the name of its setting; empty for the default."""
    inherited = {
        "volcengine:region": setting("volcengine:region"),
        "VOLCENGINE_REGION": environ.get("VOLCENGINE_REGION", "").strip(),
        "the region of the credentials' profile": profile_region,
    }
    if endpoint == EMULATOR:  # the machine's settings are for the real service
        inherited = {}
    for name, value in {"vod:region": setting("vod:region"), **inherited}.items():
        if not value:
            continue
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
            problems.append(f"{name}: must look like cn-north-1")
        elif endpoint is None and value not in KNOWN_REGIONS:
            problems.append(
                f"{name}: VOD has no known endpoint in {value}: set vod:region to "
                f"{' or '.join(sorted(KNOWN_REGIONS, reverse=True))}, or set vod:endpoint to the "
                "region's URL, too"
            )
        return value, name
    return DEFAULT_REGION, ""


def normalise_url(endpoint: str, problems: list[str]) -> str:
    """Return a URL in one spelling."""
    # States record the endpoint, so its spelling must not change between updates.
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
