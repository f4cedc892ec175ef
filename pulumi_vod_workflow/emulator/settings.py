"""
The settings of the emulator, for the command line, a file, Python and `/_emulator/settings`.

Python has snake_case names, JSON and TOML have lowerCamelCase names. An open question of the
service's documents is a setting; its default is the stricter or the more usual reading.
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
"""The longest time of any setting, in seconds."""
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
    """The base of all parts of the settings."""

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
    """Return the ends of a range; a number is a range of one value."""
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
"""Seconds, or a list of the least and the most; the seed draws a value."""


class Rule(Model):
    """The outcome of matching starts; the first rule that matches and is drawn decides."""

    template: Text = "*"
    """A glob of workflow ids."""
    source: Text = "*"
    """A glob of Vids or FileNames."""
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the matching starts that the rule applies to, drawn by the seed."""
    status: Annotated[str, Field(pattern=r"^(0|[12][0-9]{3}|Terminated|Paused)\z")] = "0"
    """The last status: `0`, 1xxx, 2xxx, `Terminated`; a `Paused` run never ends."""
    pending_seconds: Range | None = None
    """Length of PendingStart in seconds; default: the emulator's."""
    running_seconds: Range | None = None
    """Length of Running in seconds; default: the emulator's."""


class Template(Model):
    """A user's workflow."""

    template_id: Text
    """The id of the workflow."""
    space_name: Text
    """The space of the workflow."""
    name: Text = "workflow"
    """The name of the workflow."""
    description: str = ""
    """The description of the workflow."""
    type: Text = "User"
    """The type, a filter of ListWorkflowTemplate."""
    transcodes: Annotated[int, Field(ge=0, le=100)] = 1
    """Number of transcodes of a run."""
    snapshots: Annotated[int, Field(ge=0, le=100)] = 1
    """Number of snapshots of a run."""
    created_at: Moment = datetime(2026, 1, 1, tzinfo=UTC)
    """Time of the creation, with a UTC offset."""
    updated_at: Moment = datetime(2026, 1, 1, tzinfo=UTC)
    """Time of the last change, with a UTC offset."""
    commit_id: str = ""
    """The version; default: a hash of all other fields, so an edit gives a new version."""

    @model_validator(mode="after")
    def _commit(self) -> Self:
        if not self.commit_id:
            fields = self.model_dump_json(exclude={"commit_id"})
            digest = hashlib.sha256(fields.encode()).hexdigest()[:16]
            object.__setattr__(self, "commit_id", digest)
        return self


class Subscription(Model):
    """A receiver of WorkflowComplete events (facts 9)."""

    url: Loopback
    """An http URL on the loopback interface."""
    space_name: Text | None = None
    """The space of the runs; `None`: every space."""
    content_type: Literal["application/octet-stream", "application/json"] = (
        "application/octet-stream"
    )
    """The content type of the events."""
    private_key: Annotated[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9]{8,20}\z")] | None, Field(repr=False)
    ] = None
    """The key that signs the events; `None`: unsigned events."""
    twice: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the accepted events that are sent a second time, drawn by the seed."""


class Behaviour(Model):
    """The settings that can change while the emulator runs."""

    dedup: Dedup = "unfinished"
    """The earlier runs that an identical start joins (facts 4: the documents disagree)."""
    rate_limit: Annotated[int, Field(ge=0, le=1_000_000)] = 50
    """Requests of each action in any second; 0: no limit."""
    pending_seconds: Range = 1.0
    """Length of PendingStart of each run, in seconds."""
    running_seconds: Range = 4.0
    """Length of Running of each run, in seconds."""
    low_priority_seconds: Range = 30.0
    """Extra length of PendingStart of a run with EnableLowPriority, in seconds."""
    latency_seconds: Range = 0.0
    """Delay of each response, in seconds."""
    rules: tuple[Rule, ...] = ()
    """The outcomes of runs; a run without a matching rule succeeds."""
    seed: int = 0
    """The seed of all random decisions, and of the run ids if it is not 0."""
    templates: tuple[Template, ...] | None = None
    """The user's workflows; `None`: every id is a workflow."""
    list_system_templates: bool = True
    """Whether GetWorkflowTemplate finds built-in workflows (facts 3: unknown)."""
    spaces: tuple[Text, ...] | None = None
    """The existing spaces; `None`: every name is a space."""
    vids: dict[Text, Text] | None = None
    """The existing Vids and their spaces; `None`: every Vid, in `emulated-space`."""
    subscriptions: tuple[Subscription, ...] = ()
    """The receivers of events; a change applies to later starts only."""
    expired_status: Literal[400, 403] = 403
    """HTTP status of InvalidTimestamp (facts 5: the pages disagree)."""
    access_key_code: Literal["InvalidAccessKey", "InvalidClientTokenId"] = "InvalidAccessKey"
    """The code for a wrong access key (facts 5: the pages disagree)."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        """Replace JSON's lists by tuples."""
        if isinstance(value, Mapping):
            return {
                key: tuple(item) if isinstance(item, list) and not key.endswith("econds") else item
                for key, item in value.items()
            }
        return value

    def template(self, template_id: str) -> Template | None:
        """Return the user's workflow with an id; `None` if there is none."""
        if self.templates is None:
            return Template(template_id=template_id, space_name="emulated-space")
        return next((item for item in self.templates if item.template_id == template_id), None)


class EmulatorSettings(Behaviour):
    """All settings of an emulator."""

    store: str | os.PathLike[str] | None = None
    """A SQLite file for all data; `None`: memory of this process."""
    access_key: Text = "AKLTEMULATOR"
    """The only accepted access key."""
    secret_key: Annotated[Text, Field(repr=False)] = "emulator-secret-key"  # noqa: S105 - known to all
    """The secret key."""
    session_token: Annotated[Text | None, Field(repr=False)] = None
    """The token that every request must have; `None`: no request may have a token."""
    region: Text | None = None
    """The only region that signatures may have; `None`: any region."""


ModelType = TypeVar("ModelType", bound=BaseModel)


def parse_model(model: type[ModelType], parts: Mapping[str, Any]) -> ModelType:
    """
    Return the model of raw settings.

    Raises:
        ValueError: the settings are invalid; the message has all problems, and no values.

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
