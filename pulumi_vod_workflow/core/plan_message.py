"""
The plan message: the plan of one resource as one line of JSON, for programs.

The provider sends one message for each resource that starts, reuses, adopts, drops or refuses runs.
It sends the message from the check of a new resource, and from the diff of a changed one.
The prose beside the message is for people, and nothing reads it.

The schema is `docs/reference/plan-message.schema.json`. Version 1 only gains fields and causes.
Readers ignore unknown fields.

Counts are exact. Of the keys of items a message names the first `MAX_KEYS` of each set; the
positions of the set's items among the declared items have the rest.
A message has no input, no token and no secret.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.start_reason import StartCause, StartReason

if TYPE_CHECKING:
    from pydantic import TypeAdapter

KIND: Final = "vod.plan"
VERSION: Final = 1
"""Of the message's form. A reader refuses a newer one: its counts may mean something else."""
MAX_KEYS: Final = 100
"""Keys that a message names of one set of items."""
MAX_GROUPS: Final = 20
"""Groups of starts in a message; starts with rarer reasons are one more group of all causes."""
_POSITIONS: Final = re.compile(r"[0-9]{1,6}(-[0-9]{1,6})?( [0-9]{1,6}(-[0-9]{1,6})?)*")
_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?")
"""A duration: a decimal number in plain notation."""


class Operation(Enum):
    """The operation that a message plans. A resource that the engine replaces has one of each."""

    CREATE = "create"
    """A new resource, or the new one of a replacement."""
    UPDATE = "update"
    """A change of a recorded resource in place."""


@dataclass(frozen=True, slots=True)
class Items:
    """A set of a batch's items; the run itself, without keys, of a `WorkflowRun`."""

    __pydantic_config__: ClassVar[Any] = {"use_attribute_docstrings": True}  # for the schema

    count: int = 0
    """The exact number of items."""
    keys: tuple[str, ...] = ()
    """The keys of the first 100 items; empty for a `WorkflowRun`."""
    positions: str = ""
    """
    Positions of all items if `keys` lacks some: `0-149 160`. Position 0 is the first declared key,
    by code point.
    """

    @classmethod
    def of(cls, keys: Collection[str], positions: Mapping[str, int] | None = None) -> Items:
        """
        Return the set of items with these keys.

        Args:
            keys: of the items.
            positions: key of each declared item -> its position; `None` if the items are not
                declared.

        """
        named = tuple(keys)[:MAX_KEYS]
        if positions is None or len(keys) == len(named):
            return cls(len(keys), named)
        return cls(len(keys), named, _positions_text(sorted(positions[key] for key in keys)))

    @property
    def are_all_named(self) -> bool:
        """Whether `keys` has every item of the set."""
        return len(self.keys) == self.count


def positions_of(declared: Iterable[str]) -> dict[str, int]:
    """Return the position of each declared item of a batch."""
    return {key: number for number, key in enumerate(sorted(declared))}


def _positions_text(positions: Iterable[int]) -> str:
    ranges: list[list[int]] = []
    for number in positions:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return " ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)


def _with_all_keys(items: Items, declared: Sequence[str]) -> Items:
    """
    Return the set with the keys of all its items.

    Raises:
        ValueError: when the positions are not those of declared items.

    """
    if not items.positions:
        return items
    if not _POSITIONS.fullmatch(items.positions):
        raise ValueError(items.positions)
    keys: list[str] = []
    end = 0
    for part in items.positions.split(" "):
        begin, _, last = part.partition("-")
        start, end_before = int(begin), end
        end = int(last or begin) + 1
        if not end_before <= start < end <= len(declared):
            raise ValueError(part)
        keys += declared[start:end]
    if len(keys) != items.count or not {*keys}.issuperset(items.keys):
        raise ValueError(items.positions)
    return Items(items.count, tuple(keys))


ONE_RUN: Final = Items(1)
"""The run of a `WorkflowRun`."""


@dataclass(frozen=True, slots=True)
class StartGroup:
    """Starts with the same reason; each is one paid run."""

    __pydantic_config__: ClassVar[Any] = {"use_attribute_docstrings": True}  # for the schema

    causes: tuple[StartCause, ...] = ()
    """The causes of the start."""
    properties: tuple[str, ...] = ()
    """The properties that cause the start."""
    unknown: tuple[str, ...] = ()
    """Those properties whose values are not known yet."""
    items: Items = field(default_factory=Items)
    """The items that start."""

    @property
    def reason(self) -> StartReason:
        """The reason of each start."""
        return StartReason(self.causes, self.properties, self.unknown)


class DurationBasis(Enum):
    """The origin of a source's duration. The values are part of the plan message."""

    SERVICE = "service"
    """The preflight has read the video."""
    MANIFEST = "manifest"
    """The file of the items has a column with the duration."""
    OTHER = "other"
    """An origin that a newer provider reports."""

    @classmethod
    def _missing_(cls, value: object) -> DurationBasis | None:
        return cls.OTHER if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class DurationGroup:
    """Known durations of the sources of starts with equal prices: one start, or their sum."""

    __pydantic_config__: ClassVar[Any] = {"use_attribute_docstrings": True}  # for the schema

    basis: DurationBasis
    """The origin of the durations."""
    items: Items
    """The starts; equal in workflow and `enableLowPriority`."""
    seconds: str
    """The sum of their durations in seconds, as a decimal number above 0."""


@dataclass(frozen=True, slots=True)
class PlanMessage:
    """The plan of one resource in one operation."""

    __pydantic_config__: ClassVar[Any] = {"use_attribute_docstrings": True}  # for the schema

    operation: Operation
    """The planned operation."""
    fingerprint: str
    """A hash that binds the message to the resource and its ClientTokens."""
    total: int | None = 1
    """The number of declared items, 1 for a `WorkflowRun`; `null` while it is not known."""
    starts: tuple[StartGroup, ...] = ()
    """Paid starts, by reason. The number of starts is not known while `total` is `null`."""
    resends: Items = field(default_factory=Items)
    """Starts among `starts` whose earlier send has no answer; the service may join them, free."""
    reuses: Items = field(default_factory=Items)
    """Items that reuse a run which an earlier update has started; free."""
    adopts: Items = field(default_factory=Items)
    """Items that adopt the existing run that they name; free."""
    drops: Items = field(default_factory=Items)
    """Items whose runs leave the state; unfinished runs continue and are billed."""
    refuses: Items = field(default_factory=Items)
    """Starts with an unknown outcome that the provider refuses to send again; the check fails."""
    limit: int | None = None
    """The number of failures after which a batch sends no more starts; `null` without a limit."""
    run: str | None = None
    """RunId of the reused run of a `WorkflowRun`."""
    durations: tuple[DurationGroup, ...] = ()
    """Known durations of the sources of `starts`; none for a resource with secret inputs."""
    kind: Literal["vod.plan"] = "vod.plan"
    version: Literal[1] = 1

    @property
    def start_count(self) -> int | None:
        """The number of paid starts; `None` while it is not known."""
        return None if self.total is None else sum(group.items.count for group in self.starts)

    @property
    def has_unknown_reason(self) -> bool:
        """Whether an unknown input is part of any start's reason."""
        return any(group.reason.is_unknown for group in self.starts)

    @property
    def may_be_sent_before(self) -> bool:
        """Whether the service may join any of the starts, because it was sent before."""
        return bool(self.resends.count) or any(
            group.reason.may_be_sent_before for group in self.starts
        )

    def with_all_keys(self, declared: Iterable[str]) -> PlanMessage | None:
        """
        Return the message with the keys of all items, as far as it has their positions.

        Args:
            declared: the keys of the declared items.

        Returns:
            The message; `None` if it is not about these items.

        """
        ordered = sorted(declared)
        try:
            found = replace(
                self,
                starts=tuple(
                    replace(group, items=_with_all_keys(group.items, ordered))
                    for group in self.starts
                ),
                resends=_with_all_keys(self.resends, ordered),
                reuses=_with_all_keys(self.reuses, ordered),
                adopts=_with_all_keys(self.adopts, ordered),
            )
        except ValueError:
            return None
        return found if _is_consistent(found) else None

    def to_json(self) -> str:
        """Return the message as one line of ASCII, without empty sets."""
        sets = {name: getattr(self, name) for name in _SETS}
        document = {
            "kind": self.kind,
            "version": self.version,
            "operation": self.operation.value,
            "fingerprint": self.fingerprint,
            "total": self.total,
            "starts": [_group_document(group) for group in self.starts],
            **{name: _items_document(items) for name, items in sets.items() if items.count},
            **({"limit": self.limit} if self.limit else {}),
            **({"run": self.run} if self.run else {}),
            **({"durations": [*map(_duration_document, self.durations)]} if self.durations else {}),
        }
        text = json.dumps(document, separators=(",", ":"))
        # The engine removes what looks like its colours, `<{%...%}>`, from every line.
        return text.replace("<", "\\u003c")


_SETS: Final = ("resends", "reuses", "adopts", "drops", "refuses")


def _group_document(group: StartGroup) -> dict[str, Any]:
    document: dict[str, Any] = {"causes": [cause.value for cause in group.causes]}
    document |= {"properties": [*group.properties]} if group.properties else {}
    document |= {"unknown": [*group.unknown]} if group.unknown else {}
    return {**document, "items": _items_document(group.items)}


def _duration_document(group: DurationGroup) -> dict[str, Any]:
    items = _items_document(group.items)
    return {"basis": group.basis.value, "items": items, "seconds": group.seconds}


def _items_document(items: Items) -> dict[str, Any]:
    document: dict[str, Any] = {"count": items.count}
    document |= {"keys": [*items.keys]} if items.keys else {}
    return {**document, **({"positions": items.positions} if items.positions else {})}


def start_groups(
    starts: Iterable[tuple[StartReason, Collection[str]]],
    positions: Mapping[str, int] | None = None,
) -> tuple[StartGroup, ...]:
    """
    Return the starts of a batch as groups.

    Args:
        starts: (reason, keys of its items).
        positions: see `Items.of`.

    """
    ordered = sorted(starts, key=lambda group: -len(group[1]))
    groups = [
        StartGroup(reason.causes, reason.properties, reason.unknown, Items.of(keys, positions))
        for reason, keys in ordered[:MAX_GROUPS]
    ]
    rest = ordered[MAX_GROUPS:]
    if rest:
        causes = dict.fromkeys(cause for reason, _ in rest for cause in reason.causes)
        names = dict.fromkeys(name for reason, _ in rest for name in reason.properties)
        unknown = dict.fromkeys(name for reason, _ in rest for name in reason.unknown)
        items = Items.of([key for _, keys in rest for key in keys], positions)
        groups.append(StartGroup(tuple(causes), tuple(names), tuple(unknown), items))
    return tuple(groups)


def declaration_fingerprint(urn: str, declared: Mapping[str, Any]) -> str:
    """
    Return a hash that binds a message to the declaration of one resource.

    A reader computes the hash from the engine's step and ignores a message with another one. So no
    text that a program logs by chance, or copies from its data, is taken for a message.
    With secret inputs the hash covers the URN only: tokens are hashes of the inputs.

    Args:
        urn: of the resource.
        declared: its checked inputs.

    """
    tokens: list[list[str]] = []
    if declared.get("secretInputs") is not True:
        many = declared.get("clientTokens")
        named = many if isinstance(many, Mapping) else {"": declared.get("clientToken")}
        pairs = ((key, named[key]) for key in sorted(named))
        tokens = [[key, token] for key, token in pairs if isinstance(token, str)]
    return hashlib.sha256(canonical_json({"urn": urn, "tokens": tokens})).hexdigest()[:32]


class NewerVersionError(ValueError):
    """A message of a newer version, whose counts this version cannot read."""


def parse_plan_message(text: str) -> PlanMessage | None:
    """
    Return the message that a line of the engine's log is; `None` if it is something else.

    Raises:
        NewerVersionError: when a newer provider wrote the message.

    """
    from pydantic import ValidationError  # noqa: PLC0415 - a provider only writes messages

    if not (text.startswith("{") and KIND in text):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        return None
    version = found.get("version")
    if isinstance(version, int) and version > VERSION:
        raise NewerVersionError(f"version {version} of the plan message")
    if version != VERSION:
        return None
    try:
        message = plan_message_adapter().validate_python(found)
    except ValidationError:
        return None
    return message if _is_consistent(message) else None


@cache
def plan_message_adapter() -> TypeAdapter[PlanMessage]:
    """Return the reader of messages; its JSON schema is the published one."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - a provider only writes messages

    return TypeAdapter(PlanMessage)


def _is_consistent(message: PlanMessage) -> bool:
    """Return whether the counts of a message fit together."""
    groups = [group.items for group in message.starts]
    declared = (*groups, message.reuses, message.adopts, message.refuses)
    sets = (*declared, message.resends, message.drops)
    if any(items.count < len({*items.keys}) or items.count < 0 for items in sets):
        return False
    keys = [key for items in declared for key in items.keys]
    if len(keys) != len({*keys}):
        return False
    if message.total is None:
        return not groups
    starts = sum(items.count for items in groups)
    return (
        sum(items.count for items in declared) <= message.total
        and message.resends.count <= starts
        and _has_consistent_durations(message, starts)
    )


def _has_consistent_durations(message: PlanMessage, starts: int) -> bool:
    sets = [group.items for group in message.durations]
    keys = [key for items in sets for key in items.keys]
    return (
        all(items.count >= max(1, len(items.keys)) for items in sets)
        and len(keys) == len({*keys})
        and sum(items.count for items in sets) <= starts
        and all(
            _SECONDS.fullmatch(group.seconds) and group.seconds.strip("0.")
            for group in message.durations
        )
    )
