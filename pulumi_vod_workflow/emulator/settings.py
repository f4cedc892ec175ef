"""
How the emulator behaves, said once for the command line, a file, Python and `/_emulator/settings`.

In Python names are snake_case, in JSON and TOML lowerCamelCase. What the documents leave open is a
setting here, and its default the stricter or the more usual reading.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

MAX_SECONDS: Final = 365 * 86400.0
"""Seconds that anything can be set to take."""
SYSTEM_TEMPLATES: Final = {
    "c3841b3122fd460db2bc99a6ec131cb8": ("single-bitrate short video feeds", 6),
    "25524a2dae4541db93b2e891d7daf4b9": ("multi-bitrate copyrighted HLS", 6),
    "06853553c4d3402698a17ff5dff87fd7": ("multi-bitrate general online video", 6),
    "1ddda0dd053c4c7488926eb2eb77eb34": ("multi-bitrate short video feeds", 8),
}
"""Built-in workflow -> its name and number of outputs (facts 10)."""

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Text = Annotated[str, Field(min_length=1)]
Moment = Annotated[AwareDatetime, Field(strict=False)]
Dedup = Literal["unfinished", "finished"]


class Model(BaseModel):
    """A part of the settings."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )


def _check_loopback(url: str) -> str:
    try:
        parts = urlsplit(url if re.fullmatch("[!-~]+", url) else "")
        host, _ = parts.hostname or "", parts.port
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        parts, local = urlsplit(""), False
    if parts.scheme != "http" or not local:
        raise ValueError("must be an http URL of this machine (loopback)")
    return url


Loopback = Annotated[str, AfterValidator(_check_loopback)]


def _tuple_from_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def range_ends(value: float | tuple[float, float]) -> tuple[float, float]:
    """Return a range's ends; a number is a range of one."""
    return value if isinstance(value, tuple) else (value, value)


def _check_order(value: float | tuple[float, float]) -> float | tuple[float, float]:
    least, most = range_ends(value)
    if least > most:
        raise ValueError("the range must begin with its smaller end")
    return value


Range = Annotated[
    Seconds | tuple[Seconds, Seconds],
    BeforeValidator(_tuple_from_list),
    AfterValidator(_check_order),
]
"""Seconds, or a list of the least and the most, drawn by the seed."""


class Rule(Model):
    """How matching starts fare; of all rules the first that matches, and falls to them, decides."""

    template: Text = "*"
    """Workflow ids, as a glob."""
    source: Text = "*"
    """Vids or FileNames, as a glob."""
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the matching starts that it falls to, drawn by the seed."""
    status: Annotated[str, Field(pattern=r"^(0|[12][0-9]{3}|Terminated|Paused)\z")] = "0"
    """The status they end with: `0`, 1xxx, 2xxx, `Terminated`; `Paused` never ends."""
    pending_seconds: Range | None = None
    """Of PendingStart; by default the emulator's."""
    running_seconds: Range | None = None
    """Of Running; by default the emulator's."""


class Template(Model):
    """A user's workflow."""

    template_id: Text
    """Its id."""
    space_name: Text
    """The space it belongs to."""
    name: Text = "workflow"
    """For people."""
    description: str = ""
    """For people."""
    type: Text = "User"
    """What ListWorkflowTemplate filters by."""
    transcodes: Annotated[int, Field(ge=0, le=100)] = 1
    """How many files it makes."""
    snapshots: Annotated[int, Field(ge=0, le=100)] = 1
    """How many snapshots it makes."""
    created_at: Moment = datetime(2026, 1, 1, tzinfo=UTC)
    """With its offset."""
    updated_at: Moment = datetime(2026, 1, 1, tzinfo=UTC)
    """With its offset."""
    commit_id: str = ""
    """Its version; by default a hash of all the rest, so that an edited one has another."""

    @model_validator(mode="after")
    def _commit(self) -> Self:
        if not self.commit_id:
            rest = self.model_dump_json(exclude={"commit_id"})
            digest = hashlib.sha256(rest.encode()).hexdigest()[:16]
            object.__setattr__(self, "commit_id", digest)
        return self


class Subscription(Model):
    """Where WorkflowComplete events of a space are sent (facts 9)."""

    url: Loopback
    """Of this machine: http to loopback."""
    space_name: Text | None = None
    """`None`: of every space."""
    content_type: Literal["application/octet-stream", "application/json"] = (
        "application/octet-stream"
    )
    """Of the events."""
    private_key: Annotated[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8,20}\z")] | None, Field(repr=False)
    ] = None
    """If set, events are signed with it."""
    twice: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the events that come a second time though the first was taken, by the seed."""


class Behaviour(Model):
    """What can be changed while the emulator runs."""

    dedup: Dedup = "unfinished"
    """Which earlier runs an identical start joins (facts 4: the documents disagree)."""
    rate_limit: Annotated[int, Field(ge=0, le=1_000_000)] = 50
    """Requests of each action in any second; 0 is no limit."""
    pending_seconds: Range = 1.0
    """Of PendingStart, for each run."""
    running_seconds: Range = 4.0
    """Of Running, for each run."""
    low_priority_seconds: Range = 30.0
    """How much longer a run with EnableLowPriority is pending."""
    latency_seconds: Range = 0.0
    """Before each answer."""
    rules: tuple[Rule, ...] = ()
    """How runs fare, the first that matches; without one they succeed."""
    seed: int = 0
    """Decides all that is left to chance, and the run ids if it is not 0."""
    templates: tuple[Template, ...] | None = None
    """The user's workflows there are; `None`: every id is one."""
    list_system_templates: bool = True
    """Whether built-in workflows are found by GetWorkflowTemplate (facts 3: not known)."""
    spaces: tuple[Text, ...] | None = None
    """The spaces there are; `None`: every one."""
    vids: dict[Text, Text] | None = None
    """The Vids there are and their spaces; `None`: every one, in `emulated-space`."""
    subscriptions: tuple[Subscription, ...] = ()
    """Who hears of ended runs; only of those that start from then on."""
    expired_status: Literal[400, 403] = 403
    """HTTP status of InvalidTimestamp (facts 5: the pages disagree)."""
    access_key_code: Literal["InvalidAccessKey", "InvalidClientTokenId"] = "InvalidAccessKey"
    """What a wrong access key is called (facts 5: the pages disagree)."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        """Take JSON's lists for tuples."""
        if isinstance(value, Mapping):
            return {
                key: tuple(item) if isinstance(item, list) and not key.endswith("econds") else item
                for key, item in value.items()
            }
        return value

    def template(self, template_id: str) -> Template | None:
        """Return a user's workflow, if there is one of that id."""
        if self.templates is None:
            return Template(template_id=template_id, space_name="emulated-space")
        return next((item for item in self.templates if item.template_id == template_id), None)


class EmulatorSettings(Behaviour):
    """All of it."""

    store: str | os.PathLike[str] | None = None
    """SQLite file that outlives the process; `None` keeps everything in memory."""
    access_key: Text = "AKLTEMULATOR"
    """The only key that is accepted."""
    secret_key: Annotated[Text, Field(repr=False)] = "emulator-secret-key"  # noqa: S105 - known to all
    """Its secret."""
    session_token: Annotated[Text | None, Field(repr=False)] = None
    """If set, every request must carry it; if not, none may carry one."""
    region: Text | None = None
    """The only region that signatures may be for; `None` takes any."""


ModelType = TypeVar("ModelType", bound=BaseModel)


def parse_model(model: type[ModelType], parts: Mapping[str, Any]) -> ModelType:
    """
    Return the model that `parts` spell.

    Raises:
        ValueError: saying all that is wrong with them, without their values.

    """
    try:
        return model.model_validate(parts)
    except ValidationError as error:
        raise ValueError(
            "; ".join(
                f"{'.'.join(map(str, item['loc'])) or model.__name__.lower()}: {item['msg']}"
                for item in error.errors(include_url=False, include_input=False)
            )
        ) from None
