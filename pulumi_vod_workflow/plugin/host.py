"""The context of one call of the engine: its URN, its row, its limits."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any

from pulumi_vod_workflow.core.resource_types import canonical_type
from pulumi_vod_workflow.hosting.engine_log import EngineLog, EngineLogger
from pulumi_vod_workflow.lifecycle.host import Host


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The end of operations from outside. Methods of any thread."""

    operation: threading.Event
    """Whether the user has cancelled the engine's operation."""
    call: threading.Event = field(default_factory=threading.Event)
    """Whether the engine of this call is gone."""

    def is_cancelled(self) -> bool:
        """Return whether the call has to stop."""
        return self.operation.is_set() or self.call.is_set()


def host_of(request: Any, log: EngineLog, cancellation: Cancellation) -> Host:
    """Return the context of a request: of its `urn`, `timeout` and `preview`, where it has them."""
    urn = getattr(request, "urn", "")
    return Host(
        urn=urn,
        logger=EngineLogger(log, urn, log.info),
        is_cancelled=cancellation.is_cancelled,
        deadline=getattr(request, "timeout", 0) or None,
        preview=getattr(request, "preview", False),
        reads_first=True,  # `refresh_before_update`
    )


def scope_of(urn: str) -> dict[str, str]:
    """
    Return the identity of a resource: project, stack, name, and the types of its parents.

    It equals the one that the dynamic resources declare, and so the ClientToken does.
    """
    _, stack, project, qualified_type, name = _parts(urn)
    parents = canonical_type(qualified_type).rpartition("$")[0]
    return {
        "project": project,
        "stack": stack,
        "name": name,
        **({"parent": parents} if parents else {}),
    }


def project_of(urn: str) -> str:
    """Return the project of a URN; empty without a URN."""
    return _parts(urn)[2] if urn else ""


def own_provider_of(urn: str) -> str:
    """Return the name of a program's own provider resource; empty for the engine's default one."""
    # The engine names its default provider `default`, or `default_` and a version.
    name = _parts(urn)[4] if urn else ""
    return "" if re.fullmatch(r"default(_.*)?", name) else name


def type_of(urn: str) -> str:
    """Return the type of a resource, without the types of its parents."""
    return _parts(urn)[3].rpartition("$")[2]


def _parts(urn: str) -> list[str]:
    """Return `urn:pulumi`, stack, project, qualified type and name, which may contain colons."""
    stack, project, qualified_type, name = urn.removeprefix("urn:pulumi:").split("::", 3)
    return ["urn:pulumi", stack, project, qualified_type, name]
